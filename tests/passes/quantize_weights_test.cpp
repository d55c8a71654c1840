// What quantize_weights makes of weights that are too large for text cases: blocks, four bits, bodies.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "lib/ir/text.h"
#include "lib/ops/quantize.h"
#include "lib/ops/registry.h"
#include "passes/manager.h"
#include "passes/pass.h"
#include "passes/pipeline.h"
#include "passes/weight_codes.h"

namespace onecard {
namespace {

Tensor normal(const Dims& dims, uint32_t seed) {
  Tensor t(DType::f32, dims);
  std::mt19937 rng(seed);
  std::normal_distribution<float> of;
  for (float& v : t.data<float>()) v = of(rng);
  return t;
}

// Signal to error of what `choice` makes of w, in dB.
double decibels(const Tensor& w, const CodeChoice& choice) {
  const Tensor real = dequantize_tensor(quantize_tensor(w, choice.dtype, choice.quant));
  double error = 0, power = 0;
  for (int64_t i = 0; i < w.elements(); ++i) {
    error += std::pow(w.at(i) - real.at(i), 2);
    power += std::pow(w.at(i), 2);
  }
  return -10 * std::log10(error / power);
}

TEST(WeightCodes, ErrorIsWhatItSays) {
  const Tensor w = normal({40, 70}, 1);
  for (const CodeForm& form : {CodeForm{DType::i8, -1, 0}, CodeForm{DType::i8, 0, 0}, CodeForm{DType::i8, 1, 0}, CodeForm{DType::i8, 1, 32},
                               CodeForm{DType::i4, 1, 32}, CodeForm{DType::i4, 0, 16}, CodeForm{DType::i4, 1, 70}}) {
    const auto choice = choose_codes(w, form);
    ASSERT_TRUE(choice);
    EXPECT_NEAR(decibels(w, *choice), -10 * std::log10(choice->error), 0.01) << info(form.dtype).name << form.axis << " " << form.block;
  }
}

TEST(WeightCodes, ClippingAndBlocksHelpFourBits) {
  const Tensor w = normal({64, 256}, 2);
  const auto plain = [&] {
    Quantization q;
    q.axis = 1, q.block = 32, q.scale.assign(64 * 8, 0.0f);
    for (int64_t i = 0; i < w.elements(); ++i) {
      float& s = q.scale[static_cast<size_t>(i / 32)];
      s = std::max(s, std::abs(static_cast<float>(w.at(i))) / 7);
    }
    return CodeChoice{DType::i4, std::make_shared<const Quantization>(std::move(q)), 0};
  }();
  const double nearest = decibels(w, plain), clipped = decibels(w, *choose_codes(w, CodeForm{DType::i4, 1, 32})),
               wide = decibels(w, *choose_codes(w, CodeForm{DType::i4, 1, 128})), row = decibels(w, *choose_codes(w, CodeForm{DType::i4, 1, 256}));
  EXPECT_GT(clipped, nearest + 0.7);
  EXPECT_GT(clipped, wide + 0.5);
  EXPECT_GT(wide, row);
}

TEST(WeightCodes, ZeroPointsWhereTheyPay) {
  Tensor w(DType::f32, {32, 64});
  std::mt19937 rng(3);
  for (float& v : w.data<float>()) v = std::uniform_real_distribution<float>(-1, 1)(rng);
  EXPECT_EQ(choose_codes(w, CodeForm{DType::i4, 1, 32})->dtype, DType::i4);
  for (float& v : w.data<float>()) v = 3 + 0.2f * v;
  const auto choice = choose_codes(w, CodeForm{DType::i4, 1, 32});
  EXPECT_EQ(choice->dtype, DType::u4);
  EXPECT_EQ(choice->quant->zero_point.size(), 1u) << "all below: the zero point is 0";
  for (const float s : choice->quant->scale) EXPECT_EQ(static_cast<float>(Half(s)), s);
}

TEST(WeightCodes, ImportanceSaysWhereErrorCounts) {
  const Tensor w = normal({1, 32}, 4);
  Tensor importance(DType::f32, {1, 32});
  for (int64_t i = 0; i < 32; ++i) importance.set(i, i < 4 ? 1000 : 1);
  const auto error_of_first = [&](const CodeChoice& c) {
    const Tensor real = dequantize_tensor(quantize_tensor(w, c.dtype, c.quant));
    double sum = 0;
    for (int64_t i = 0; i < 4; ++i) sum += std::pow(w.at(i) - real.at(i), 2);
    return sum;
  };
  EXPECT_LT(error_of_first(*choose_codes(w, CodeForm{DType::i4, 1, 32}, &importance)), error_of_first(*choose_codes(w, CodeForm{DType::i4, 1, 32})));
}

TEST(WeightCodes, NothingOfWhatIsNotFinite) {
  Tensor w = normal({4, 32}, 5);
  w.set(70, INFINITY);
  EXPECT_FALSE(choose_codes(w, CodeForm{DType::i4, 1, 32}));
  EXPECT_FALSE(choose_codes(w, CodeForm{DType::i8, 0, 0}));
  EXPECT_EQ(choose_codes(Tensor(DType::f32, {4, 32}), CodeForm{DType::i4, 1, 32})->error, 0) << "zeros";
}

Graph quantized(const std::string& text, WeightPrecision weights, int64_t block, std::vector<std::string>* notes = nullptr) {
  Graph g = parse_graph(text);
  PassContext context;
  context.weights = weights;
  context.weight_block = block;
  run_pipeline(g, context, quantize_pipeline());
  if (notes) *notes = context.notes;
  return g;
}

// The type of the constant with these extents, here or in a body, without scales; empty when there is none.
std::string stored(const Graph& g, const Dims& dims) {
  for (const Value& v : g.values())
    if (v.constant && v.constant->dims() == dims && v.type.quant)
      return std::to_string(info(v.type.dtype).bits) + " bits, axis " + std::to_string(v.type.quant->axis) + " block " +
             std::to_string(v.type.quant->block);
  for (const Node& n : g.nodes())
    for (const GraphPtr& body : n.op->subgraphs())
      if (const std::string found = stored(*body, dims); !found.empty()) return found;
  return "";
}

TEST(QuantizeWeights, FourBitsWhereTheyHaveAHome) {
  std::vector<std::string> notes;
  const Graph g = quantized(R"(graph(%x: f32[2,96], %i: i64[3], %p: f32[1,3,8,8], %t: f32[4,1,40]) {
    %w: f32[96,64] = constant
    %v: f32[100,64] = constant
    %e: f32[200,48] = constant
    %first: f32[48,3,3,3] = constant
    %c: f32[32,48,3,3] = constant
    %dw: f32[32,1,3,3] = constant
    %lw: f32[1,128,40] = constant
    %lr: f32[1,128,32] = constant
    %y = matmul(%x, %w)
    %z = matmul(%y, %v) {transpose_b=yes}
    %u = gather(%e, %i)
    %q = conv(%p, %first)
    %r = conv(%q, %c)
    %s = conv(%r, %dw) {group=32}
    %l, %m, %n = lstm(%t, %lw, %lr)
    return %z, %u, %s, %l
  })",
                            WeightPrecision::int4, 32, &notes);
  EXPECT_EQ(stored(g, {96, 64}), "4 bits, axis 0 block 32");
  EXPECT_EQ(stored(g, {100, 64}), "4 bits, axis 1 block 32");
  EXPECT_EQ(stored(g, {200, 48}), "4 bits, axis 1 block 32");
  EXPECT_EQ(stored(g, {48, 3, 3, 3}), "8 bits, axis 0 block 0");
  EXPECT_EQ(stored(g, {32, 48, 3, 3}), "4 bits, axis 1 block 32");
  EXPECT_EQ(stored(g, {32, 1, 3, 3}), "8 bits, axis 0 block 0");
  EXPECT_EQ(stored(g, {1, 128, 40}), "4 bits, axis 2 block 32");
  EXPECT_EQ(stored(g, {1, 128, 32}), "4 bits, axis 2 block 32");
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("weights of four bits: 6 ("), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("of eight bits: 2 ("), std::string::npos) << notes[0];
}

TEST(QuantizeWeights, BodiesAreCountedInOneNote) {
  std::vector<std::string> notes;
  quantized(R"(graph(%c: bool[], %x: f32[2,64]) {
    %w: f32[64,64] = constant
    %h = matmul(%x, %w)
    %y = if(%c, %h) {then_branch=graph(%a: f32[2,64]) { %v: f32[64,96] = constant %r = matmul(%a, %v) return %r }, else_branch=graph(%b: f32[2,64]) { %u: f32[64,96] = constant %s = matmul(%b, %u) return %s }}
    return %y
  })",
            WeightPrecision::int4, 32, &notes);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("weights of four bits: 3 ("), std::string::npos) << notes[0];
}

TEST(QuantizeWeights, OutliersAlongTheSumsGetBlocksOfBytes) {
  const std::string text = "graph(%x: f32[2,512]) { %w: f32[512,16] = constant %y = matmul(%x, %w) return %y }";
  EXPECT_EQ(stored(quantized(text, WeightPrecision::int8, 32), {512, 16}), "8 bits, axis 1 block 0");
  Graph g = parse_graph(text);
  Tensor w = normal({512, 16}, 6);
  for (int64_t i = 0; i < 4 * 16; ++i) w.set(i, 100 * w.at(i));
  g.replace_uses(g.find("w"), g.add_constant("v", std::move(w)));
  PassContext context;
  context.weights = WeightPrecision::int8;
  Graph for_bytes = g.clone();
  quantize_weights(g, context);
  EXPECT_TRUE(stored(g, {512, 16}).starts_with("8 bits, axis 0 block ")) << stored(g, {512, 16});
  context.activations = ActivationPrecision::int8;
  quantize_weights(for_bytes, context);
  EXPECT_EQ(stored(for_bytes, {512, 16}), "8 bits, axis 1 block 0") << "integer products want one scale per column";
}

TEST(QuantizeWeights, ReachesBodies) {
  const Graph g = quantized(R"(graph(%c: bool[], %x: f32[2,64]) {
    %y = if(%c, %x) {then_branch=graph(%a: f32[2,64]) { %w: f32[64,64] = constant %r = matmul(%a, %w) return %r }, else_branch=graph(%a: f32[2,64]) { %r = unary(%a) {f=relu} return %r }}
    return %y
  })",
                            WeightPrecision::int4, 64);
  EXPECT_EQ(stored(g, {64, 64}), "4 bits, axis 0 block 64");
}

TEST(QuantizeWeights, SameAnswersAsTheFloatsTheyStandFor) {
  const std::string text =
      "graph(%x: f32[3,200], %i: i64[2]) { %w: f32[200,40] = constant %e: f32[120,200] = constant %g = gather(%e, %i) %y = matmul(%g, %w) %z = "
      "matmul(%x, %w) return %y, %z }";
  const Graph before = parse_graph(text), after = quantized(text, WeightPrecision::int4, 32);
  const Tensor x = normal({3, 200}, 9), i = Tensor::of<int64_t>({2}, {5, 119});
  const auto a = run_reference(before, {&x, &i}), b = run_reference(after, {&x, &i});
  for (size_t o = 0; o < a.size(); ++o)
    for (int64_t k = 0; k < a[o].elements(); ++k) EXPECT_NEAR(a[o].at(k), b[o].at(k), 0.05 * std::abs(a[o].at(k)) + 0.6);
}

}  // namespace
}  // namespace onecard
