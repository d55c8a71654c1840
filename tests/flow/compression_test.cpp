#include <gtest/gtest.h>

#include <cmath>

#include "lib/base/in_order.h"
#include "lib/base/parallel.h"
#include "lib/flow/compression/judge.h"
#include "lib/flow/compression/refinement_work.h"
#include "lib/flow/compression/rows.h"
#include "lib/flow/compression/site.h"
#include "passes/filter_bank.h"
#include "tests/flow/one_layer.h"

namespace onecard {
namespace {

// Rows times matrices give what the op's definition gives, at every place.
void expect_rows_times_weights(const std::string& text, const Dims& weight, const Dims& x_dims) {
  const Graph graph = one_layer(text, weight);
  const auto layers = find_layers(graph);
  ASSERT_EQ(layers.size(), 1u) << text;
  const Layer& l = layers[0];
  const Tensor x = random_floats(x_dims, 5), &w = *l.node->inputs[1]->constant;
  const Tensor y = evaluate(*l.node->op, {&x, &w})[0].clone();
  const Rows rows = sample_rows(l, x, INT64_MAX, 0.5);
  ASSERT_EQ(rows.count * l.groups * l.width, y.elements()) << text;
  const bool windowed = l.source != RowSource::last_axis;
  const int64_t plane = windowed ? rows.count / y.dims()[0] : 1;
  for (int64_t g = 0; g < l.groups; ++g) {
    const std::vector<float> m = matrix_of(l, w, g);
    for (int64_t r = 0; r < rows.count; ++r)
      for (int64_t n = 0; n < l.width; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < l.depth; ++k)
          sum += static_cast<double>(rows.group(l, g)[k * rows.count + r]) * m[static_cast<size_t>(k * l.width + n)];
        const int64_t channel = g * l.width + n, at = windowed ? (r / plane * l.groups * l.width + channel) * plane + r % plane : r * l.width + n;
        ASSERT_NEAR(sum, y.at(at), 1e-4) << text << " row " << r << " column " << n;
      }
  }
}

TEST(Layers, RowsTimesWeightsAreTheSums) {
  expect_rows_times_weights(
      "graph(%x: f32[2,4,7,6], %w: f32[6,2,3,2]) {\n  %y = conv(%x, %w) {strides=[2,1], dilations=[1,2], pads=[1,0,2,1], group=2}\n  return %y\n}\n",
      {6, 2, 3, 2}, {2, 4, 7, 6});
  expect_rows_times_weights("graph(%x: f32[1,3,9], %w: f32[3,1,4]) {\n  %y = conv(%x, %w) {pads=[2,1], group=3}\n  return %y\n}\n", {3, 1, 4},
                            {1, 3, 9});
  expect_rows_times_weights(
      "graph(%x: f32[2,4,5,3], %w: f32[4,3,3,2]) {\n  %y = conv_transpose(%x, %w) {strides=[2,1], dilations=[1,2], pads=[1,0,0,1], group=2}\n  "
      "return %y\n}\n",
      {4, 3, 3, 2}, {2, 4, 5, 3});
  expect_rows_times_weights("graph(%x: f32[3,5,4], %w: f32[4,6]) {\n  %y = matmul(%x, %w)\n  return %y\n}\n", {4, 6}, {3, 5, 4});
  expect_rows_times_weights("graph(%x: f32[7,4], %w: f32[6,4]) {\n  %y = matmul(%x, %w) {transpose_b=yes}\n  return %y\n}\n", {6, 4}, {7, 4});
}

TEST(Layers, PlacesAreTheSameForTensorsOfTheSameExtents) {
  const Graph graph = one_layer("graph(%x: f32[1,2,8,8], %w: f32[3,2,3,3]) {\n  %y = conv(%x, %w)\n  return %y\n}\n", {3, 2, 3, 3});
  const Layer l = find_layers(graph)[0];
  const Tensor x = random_floats({1, 2, 8, 8}, 1);
  Tensor twice = x.clone();
  for (float& v : twice.data<float>()) v *= 2;
  const Rows a = sample_rows(l, x, 10, 0.3), b = sample_rows(l, twice, 10, 0.3);
  ASSERT_EQ(a.count, 10);
  for (size_t i = 0; i < a.values.size(); ++i) EXPECT_EQ(2 * a.values[i], b.values[i]);
}

// Two samples of 7 and 9 rows on one side, of 9 and 7 on the other: as many in all, and no two of one place.
TEST(Rows, SamplesThatShowOtherPlacesAreNotPaired) {
  Layer l;
  l.depth = 2, l.width = 1;
  const auto rows = [](int64_t count, float value) { return Rows{count, std::vector<float>(static_cast<size_t>(2 * count), value)}; };
  const Rows a = rows(7, 1), b = rows(9, 2), c = rows(3, 3), d = rows(9, 4), e = rows(7, 5), f = rows(3, 6), none;
  const RowPairs both = paired(l, {&a, &b, &c, &none}, {&d, &e, &f, &f});
  ASSERT_EQ(both.own.count, 22);
  ASSERT_EQ(both.original.count, 22);
  for (int64_t i = 0; i < 22; ++i) {
    const float original = i < 9 ? 4.0f : i < 16 ? 5.0f : 6.0f;
    for (int64_t k = 0; k < 2; ++k) {
      EXPECT_EQ(both.original.values[static_cast<size_t>(k * 22 + i)], original);
      EXPECT_EQ(both.own.values[static_cast<size_t>(k * 22 + i)], i >= 16 && i < 19 ? 3.0f : original);
    }
  }
}
TEST(Judge, SamplesAreHeldOutByTheirOrder) {
  const auto is_in = [](const std::vector<size_t>& v, size_t i) { return std::count(v.begin(), v.end(), i) > 0; };
  for (const size_t count : {8u, 19u, 64u, 250u})
    for (const auto order : {SampleOrder::apart, SampleOrder::first_held_out, SampleOrder::streams}) {
      const SampleUse use = divide_samples(count, order, 40);
      const size_t held = order == SampleOrder::streams ? std::min<size_t>(48, count / 3) : std::min<size_t>(16, count / 4);
      EXPECT_EQ(use.held_out.size(), held) << count;
      EXPECT_EQ(use.fitted.size(), std::min<size_t>(40, count - held)) << count;
      for (const size_t i : use.fitted) EXPECT_FALSE(is_in(use.held_out, i)) << i << " of " << count;
      EXPECT_EQ(is_in(use.held_out, 0), order == SampleOrder::first_held_out) << count;
      EXPECT_TRUE(order != SampleOrder::streams || use.held_out.front() == count - held) << count;
    }
  const SampleUse few = divide_samples(5, SampleOrder::apart, 40);
  EXPECT_EQ(few.fitted.size(), 5u);
  EXPECT_EQ(few.held_out.size(), 5u);
}

TEST(RefinementWork, DeepLayersGiveFewerRowsAndCostMore) {
  const auto layer = [](int64_t depth, int64_t width) {
    Layer l;
    l.depth = depth, l.width = width;
    return l;
  };
  EXPECT_EQ(rows_per_sample(layer(64, 64), 16) * 16, 8192);
  EXPECT_EQ(rows_per_sample(layer(1024, 64), 16) * 16, 4096);
  EXPECT_EQ(rows_per_sample(layer(4608, 512), 16) * 16, 2048);
  EXPECT_EQ(rows_per_sample(layer(int64_t{1} << 24, 1), 1), 1);
  Refinement means{Weights::keep, Rounding::nearest, Means::match}, by_error = means, nearest = means;
  by_error.rounding = Rounding::by_error;
  nearest.means = Means::keep;
  const std::vector<Layer> layers{layer(512, 512), layer(4608, 512)};
  const double run = 1e9;
  EXPECT_EQ(work_of_refinement(nearest, run, 24, layers), 0);
  EXPECT_EQ(work_of_refinement(means, run, 24, layers), run * 2 * 24 * static_cast<double>(stretches_of(means, run, 24, 2)));
  // x x' of 2048 rows, the deeper layer's alone
  EXPECT_GT(work_of_refinement(by_error, run, 24, layers), work_of_refinement(means, run, 24, layers) + 2048.0 * 4608 * 4608);
  EXPECT_EQ(stretches_of(means, 1e12, 24, 100), 3u);
  EXPECT_EQ(stretches_of(means, 1, 24, 100), 100u);
}

TEST(InOrder, WhatIsTakenDoesNotDependOnTheWorkers) {
  for (const int workers : {1, 2, 3}) {
    std::vector<int64_t> taken;
    in_order(
        7, workers, [](int, int64_t i) { return std::make_pair(i, thread_count()); },
        [&](int64_t i, std::pair<int64_t, int> made) {
          EXPECT_EQ(made.first, i);
          EXPECT_EQ(made.second, 1);
          taken.push_back(i);
        });
    EXPECT_EQ(taken, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6}));
  }
  EXPECT_THROW(in_order(
                   3, 2, [](int, int64_t i) { return i == 1 ? throw std::runtime_error("no") : i; }, [](int64_t, int64_t) {}),
               std::runtime_error);
}

TEST(Site, OneLoudChannelIsBalanced) {
  LayerCase c = noisy_product(64, 6, 4);
  for (int64_t r = 0; r < 64; ++r) c.x.data<float>()[static_cast<size_t>(r * 6)] *= 100;
  SiteSeen seen;
  see(seen, c.layer, c.x, 64, 0);
  const std::vector<ConstTensor> weights{c.layer.node->inputs[1]->constant};
  const auto one = choose_quantization(seen, {&c.layer}, weights, RangeRule::whole, ChannelRule::one_scale);
  const auto balanced = choose_quantization(seen, {&c.layer}, weights, RangeRule::whole, ChannelRule::balanced);
  ASSERT_TRUE(one && balanced);
  EXPECT_TRUE(one->divisor.empty());
  ASSERT_EQ(balanced->divisor.size(), 6u);
  EXPECT_GT(balanced->divisor[0], 2 * balanced->divisor[1]);
}

TEST(Site, NeverNegativeIsUnsignedAndSilenceIsNothing) {
  const LayerCase c = noisy_product(16, 6, 4);
  Tensor x = c.x.clone();
  for (float& v : x.data<float>()) v = std::abs(v);
  SiteSeen seen;
  see(seen, c.layer, x, 16, 0);
  const std::vector<ConstTensor> weights{c.layer.node->inputs[1]->constant};
  EXPECT_EQ(choose_quantization(seen, {&c.layer}, weights, RangeRule::whole, ChannelRule::one_scale)->dtype, DType::u8);
  SiteSeen silent;
  see(silent, c.layer, Tensor(DType::f32, {16, 6}), 16, 0);
  EXPECT_FALSE(choose_quantization(silent, {&c.layer}, weights, RangeRule::whole, ChannelRule::one_scale));
}

TEST(FilterBank, TonesAndBandsAreKnownFromWeights) {
  const auto bank = [](const Dims& dims, auto f) {
    Graph graph = one_layer(
        "graph(%x: f32[1," + std::to_string(dims[1]) + ",4096], %w: f32" + Shape::of(dims).text() + ") {\n  %y = conv(%x, %w)\n  return %y\n}\n",
        dims);
    Tensor w(DType::f32, dims);
    for (int64_t i = 0; i < w.elements(); ++i) w.data<float>()[static_cast<size_t>(i)] = f(i / w.dims()[2], i % w.dims()[2]);
    Node& node = graph.nodes().front();
    graph.set_inputs(node, {node.inputs[0], graph.add_constant("bank", std::move(w))});
    return is_filter_bank(node);
  };
  const auto hann = [](int64_t i) { return 0.5 - 0.5 * std::cos(2 * M_PI * static_cast<double>(i) / 256); };
  EXPECT_TRUE(bank({64, 1, 256},
                   [&](int64_t k, int64_t i) { return static_cast<float>(hann(i) * std::cos(2 * M_PI * static_cast<double>((k + 1) * i) / 256)); }));
  EXPECT_TRUE(bank({16, 40, 1}, [&](int64_t k, int64_t i) { return i == 0 && k % 3 == 0 ? 1.0f : 0.0f; }));
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  EXPECT_FALSE(bank({64, 1, 256}, [&](int64_t, int64_t) { return normal(rng); }));
  EXPECT_FALSE(bank({16, 40, 1}, [&](int64_t, int64_t) { return normal(rng); }));
}

TEST(Site, NumbersThatAreNotFiniteCountAsNothing) {
  const Graph graph = one_layer("graph(%x: f32[n,2]) { %w: f32[2,3] = constant %y = matmul(%x, %w) return %y }", {2, 3});
  SiteSeen seen;
  see(seen, find_layers(graph)[0], Tensor::of<float>({2, 2}, {NAN, -1, INFINITY, 2}), 4, 0.5);
  EXPECT_EQ(seen.min, -1);
  EXPECT_EQ(seen.max, 2);
  EXPECT_EQ(seen.largest, (std::vector<float>{0, 2}));
}

}  // namespace
}  // namespace onecard
