#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "lib/flow/calibrate.h"
#include "lib/flow/compression/histogram.h"
#include "lib/flow/compression/site.h"
#include "lib/ir/text.h"
#include "lib/ops/registry.h"

namespace onecard {
namespace {

std::vector<float> normals(size_t count, uint32_t seed, float scale = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> v(count);
  for (float& x : v) x = scale * normal(rng);
  return v;
}

Histogram of(const std::vector<float>& values) {
  Histogram h;
  h.add(values);
  return h;
}

void expect_same(const Histogram& a, const Histogram& b) {
  EXPECT_EQ(a.total(), b.total());
  EXPECT_EQ(a.zeros(), b.zeros());
  EXPECT_EQ(a.width(), b.width());
  EXPECT_EQ(a.largest(), b.largest());
  EXPECT_TRUE(std::equal(a.counts().begin(), a.counts().end(), b.counts().begin(), b.counts().end()));
}

TEST(Histogram, CountsDoNotDependOnOrderOrOnHowValuesAreDivided) {
  std::vector<float> v = normals(5000, 1);
  v[10] = 1000;  // the range doubles ten times
  v[11] = 0;
  v[12] = 4;  // on the edge of a bin and of a range
  v[13] = NAN;
  v[14] = -INFINITY;
  const Histogram whole = of(v);
  EXPECT_EQ(whole.total(), 4997);
  EXPECT_EQ(whole.zeros(), 1);
  EXPECT_EQ(whole.largest(), 1000);
  std::vector<float> back(v.rbegin(), v.rend());
  expect_same(whole, of(back));
  Histogram parts;
  for (size_t i = 0; i < v.size(); i += 77)
    parts.add(of({v.begin() + static_cast<std::ptrdiff_t>(i), v.begin() + static_cast<std::ptrdiff_t>(std::min(i + 77, v.size()))}));
  expect_same(whole, parts);
  Histogram one_by_one;
  for (const float x : v) one_by_one.add(std::span(&x, 1));
  expect_same(whole, one_by_one);
  EXPECT_EQ(whole.counts().size(), Histogram::kBins);
}

TEST(Histogram, NothingSeen) {
  EXPECT_TRUE(Histogram().empty());
  EXPECT_TRUE(of({0, 0, NAN}).empty());
}

TEST(Histogram, PercentileIsThatOfTheSortedMagnitudes) {
  std::vector<float> v = normals(200000, 2);
  std::fill_n(v.begin(), 100000, 0.0f);  // as behind a ReLU: zeros count
  const Histogram h = of(v);
  for (const double percent : {60.0, 99.0, 99.99}) {
    std::vector<float> sizes;
    for (const float x : v) sizes.push_back(std::abs(x));
    std::sort(sizes.begin(), sizes.end());
    const double exact = sizes[static_cast<size_t>(percent / 100 * static_cast<double>(sizes.size()))];
    EXPECT_NEAR(percentile_cut(h, percent), exact, 2 * h.width() + 0.002 * exact) << percent;
  }
  EXPECT_EQ(percentile_cut(of({0, 0, 0, 5}), 50), 5) << "a cut among zeros would leave nothing";
}

TEST(Histogram, LeastMeanSquareIsThatOfTheValues) {
  std::vector<float> v = normals(200000, 3);
  v[0] = 60;
  const Histogram h = of(v);
  for (const int64_t levels : {128, 256}) {
    const auto error_at = [&](double cut) {
      double sum = 0;
      for (const float x : v) {
        const double step = cut / static_cast<double>(levels - 1),
                     q = std::min(std::nearbyint(std::abs(x) / step), static_cast<double>(levels - 1)) * step;
        sum += (q - std::abs(x)) * (q - std::abs(x));
      }
      return sum;
    };
    double least = INFINITY;
    for (int i = 1; i <= 60; ++i) least = std::min(least, error_at(i));
    EXPECT_LE(error_at(mse_cut(h, levels)), 1.05 * least);
    EXPECT_GT(error_at(60), (levels == 128 ? 1.5 : 1.1) * least) << "the case must be able to fail";
  }
}

// The published definition, word for word, on a histogram of its own whose bins are ours.
TEST(Histogram, EntropyIsMigaczsDefinition) {
  std::vector<float> v = normals(50000, 4);
  for (size_t i = 0; i < 4; ++i) v[i] = 39 + 0.25f * static_cast<float>(i);
  const Histogram h = of(v);
  std::vector<int64_t> bins;  // 2048 of them
  for (size_t i = 0; i < Histogram::kBins; i += 2) bins.push_back(h.counts()[i] + h.counts()[i + 1]);
  const size_t used = static_cast<size_t>(h.largest() / (2 * h.width())) + 1;
  double least = INFINITY;
  const auto divergence = [&](size_t i) {
    std::vector<double> p(bins.begin(), bins.begin() + static_cast<std::ptrdiff_t>(i)), q(i, 0.0);
    for (size_t k = i; k < used; ++k) p[i - 1] += static_cast<double>(bins[k]);
    for (size_t level = 0; level < 128; ++level) {
      double sum = 0, filled = 0;
      for (size_t k = level * i / 128; k < (level + 1) * i / 128; ++k) sum += static_cast<double>(bins[k]), filled += bins[k] > 0;
      for (size_t k = level * i / 128; k < (level + 1) * i / 128; ++k) q[k] = bins[k] > 0 ? sum / filled : 0;
    }
    double sp = 0, sq = 0, kl = 0;
    for (size_t k = 0; k < i; ++k) sp += p[k], sq += q[k];
    for (size_t k = 0; k < i; ++k)
      if (p[k] > 0) kl += q[k] > 0 ? p[k] / sp * std::log(p[k] / sp / (q[k] / sq)) : INFINITY;
    return kl;
  };
  for (size_t i = 128; i <= used; ++i) least = std::min(least, divergence(i));
  const float cut = entropy_cut(h, 128);
  const auto at = static_cast<size_t>(std::lround(cut / (2 * h.width())));
  EXPECT_NEAR(divergence(at), least, 1e-12);
  EXPECT_GT(divergence(used), 1.02 * least) << "the case must be able to fail";
}

Layer product_layer(Graph& graph) {
  graph = parse_graph("graph(%x: f32[64,4], %w: f32[4,8]) {\n  %y = matmul(%x, %w)\n  return %y\n}\n");
  Tensor w(DType::f32, {4, 8});
  for (float& v : w.data<float>()) v = 1;
  Node& node = graph.nodes().front();
  std::vector<Value*> in = node.inputs;
  in[1] = graph.add_constant("weights", std::move(w));
  graph.set_inputs(node, in);
  return find_layers(graph)[0];
}

TEST(Sites, EveryRangeRuleCutsWhereItsDefinitionSays) {
  Graph graph;
  const Layer layer = product_layer(graph);
  std::vector<float> v = normals(20000 * 4, 5);
  v[7] = -50;
  SiteSeen seen, plain;
  seen.histogram.emplace();
  const Tensor x = Tensor::of<float>({20000, 4}, v);
  see(seen, layer, x, 16, 0);
  see(plain, layer, x, 16, 0);
  EXPECT_FALSE(plain.histogram);
  ASSERT_TRUE(seen.histogram);
  EXPECT_EQ(seen.histogram->total(), 80000);
  const std::vector<const Layer*> readers{&layer};
  const std::vector<ConstTensor> weights{layer.node->inputs[1]->constant};
  const auto scale = [&](RangeRule rule) { return choose_quantization(seen, readers, weights, rule, ChannelRule::one_scale)->scale; };
  EXPECT_FLOAT_EQ(scale(RangeRule::whole), 50.0f / 127);
  EXPECT_FLOAT_EQ(scale(RangeRule::percentile), percentile_cut(*seen.histogram, 99.99) / 127);
  EXPECT_FLOAT_EQ(scale(RangeRule::entropy), entropy_cut(*seen.histogram, 128) / 127);
  EXPECT_FLOAT_EQ(scale(RangeRule::mse), mse_cut(*seen.histogram, 128) / 127);
  EXPECT_LT(scale(RangeRule::percentile), scale(RangeRule::mse));
  EXPECT_LT(scale(RangeRule::mse), scale(RangeRule::whole));
}

TEST(CalibrationCache, ReadsBackWhatWasWrittenAndRefusesWhatIsNotItsOwn) {
  const Path path = std::filesystem::temp_directory_path() / "onecard_calibration_test.txt";
  Calibrated c;
  c.recipe = "balanced; rounded by error";
  c.how = {Weights::keep, Rounding::by_error, Means::match};
  c.skip = {"a \"quoted\" name", "b"};
  c.sites["x"] = {DType::u8, 0.1f, {}};
  c.sites["y.r"] = {DType::i8, 1.0f / 3, {0.5f, 2.0f, 1e-3f}};
  write_calibration_cache(path, "abc", CalibrationMethod::entropy, c);
  for (const auto method : {std::optional<CalibrationMethod>(), std::optional(CalibrationMethod::entropy)}) {
    const Calibrated back = read_calibration_cache(path, "abc", method);
    EXPECT_EQ(back.recipe, c.recipe);
    EXPECT_EQ(back.how.rounding, c.how.rounding);
    EXPECT_EQ(back.how.means, c.how.means);
    EXPECT_EQ(back.how.sums, c.how.sums);
    EXPECT_EQ(back.skip, c.skip);
    EXPECT_EQ(back.sites, c.sites);
  }
  const auto refused = [&](const std::string& key, std::optional<CalibrationMethod> method) {
    try {
      read_calibration_cache(path, key, method);
    } catch (const Error& e) { return std::string(kind_name(e.kind)) + ": " + e.what(); }
    return std::string();
  };
  EXPECT_NE(refused("abd", std::nullopt).find("usage"), std::string::npos);
  EXPECT_NE(refused("abd", std::nullopt).find("another model"), std::string::npos);
  EXPECT_NE(refused("abc", CalibrationMethod::mse).find("made by --calibration entropy, not by mse"), std::string::npos);
  for (const char* wrong : {"layer \"x\" i8 0 ;", "layer \"x\" i4 1 ;", "layer \"x\" i8 1", "nonsense"}) {
    write_text(path, "onecard calibration 3 abc\nmethod auto\nrecipe \"r\" keep nearest keep own\n" + std::string(wrong) + "\n");
    EXPECT_NE(refused("abc", std::nullopt).find("io: "), std::string::npos) << wrong;
  }
  // Cut at any line.
  Calibrated whole;
  whole.recipe = "r";
  whole.skip = {"a"};
  whole.sites["b"] = {DType::i8, 0.5f, {}};
  whole.sites["c"] = {DType::u8, 0.25f, {2.0f}};
  write_calibration_cache(path, "abc", CalibrationMethod::automatic, whole);
  const std::string text = read_text(path);
  EXPECT_EQ(read_calibration_cache(path, "abc", std::nullopt).sites, whole.sites);
  for (size_t cut = text.find('\n') + 1; cut < text.size(); ++cut) {
    if (text[cut - 1] != '\n') continue;
    write_text(path, text.substr(0, cut));
    EXPECT_NE(refused("abc", std::nullopt).find("io: "), std::string::npos) << cut;
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace onecard
