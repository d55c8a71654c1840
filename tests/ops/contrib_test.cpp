// ONNX Runtime's own operators, expanded as import does it, against their formulas written out.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "lib/ops/registry.h"

namespace onecard {
namespace {

// An operand: a graph input (with symbolic extents on request), a constant, or nothing.
struct Operand {
  std::shared_ptr<Tensor> tensor;
  bool constant = false;
  Shape declared;
};
Operand given(Tensor t) { return {std::make_shared<Tensor>(std::move(t)), false, {}}; }
Operand given(Tensor t, Shape declared) { return {std::make_shared<Tensor>(std::move(t)), false, std::move(declared)}; }
Operand fixed(Tensor t) { return {std::make_shared<Tensor>(std::move(t)), true, {}}; }
const Operand kAbsent;

struct Expanded {
  Graph graph;
  std::vector<const Tensor*> inputs;
  std::vector<Tensor> run() const { return run_reference(graph, inputs); }
};

using Attributes = std::map<std::string, OnnxAttribute, std::less<>>;

// The graph of one node of com.microsoft with all `outputs` as its outputs. `operands` must outlive it.
Expanded expand(const std::string& op, const std::vector<Operand>& operands, Attributes attributes, size_t outputs) {
  Expanded e;
  OnnxNode node;
  node.op_type = op, node.domain = "com.microsoft", node.name = "n", node.opset = 1, node.graph = &e.graph, node.attributes = std::move(attributes);
  for (size_t i = 0; i < operands.size(); ++i) {
    const Operand& o = operands[i];
    const std::string name = "x" + std::to_string(i);
    if (!o.tensor) {
      node.inputs.push_back(nullptr);
    } else if (o.constant) {
      node.inputs.push_back(e.graph.add_constant(name, o.tensor->clone()));
    } else {
      TensorType type = o.tensor->type();
      if (o.declared.rank() > 0) type.shape = o.declared;
      node.inputs.push_back(e.graph.add_input(name, type));
      e.inputs.push_back(o.tensor.get());
    }
  }
  for (size_t i = 0; i < outputs; ++i) node.outputs.push_back("y" + std::to_string(i));
  const OnnxImporter* importer = find_importer(node.domain, op);
  EXPECT_NE(importer, nullptr) << op;
  if (!importer) return e;
  for (Value* v : importer->from_onnx(node))
    if (v && e.graph.outputs.size() < outputs) e.graph.outputs.push_back(v);
  verify(e.graph);
  return e;
}

std::mt19937& dice() {
  static std::mt19937 rng(3);
  return rng;
}
Tensor noise(const Dims& dims) {
  Tensor t(DType::f32, dims);
  std::normal_distribution<float> normal;
  for (float& v : t.data<float>()) v = normal(dice());
  return t;
}
double at(const Tensor& t, const Dims& index) {
  const auto strides = row_major_strides(t.dims());
  int64_t i = 0;
  for (size_t a = 0; a < index.size(); ++a) i += index[a] * strides[a];
  return t.at(i);
}
void expect_near(const Tensor& got, const Tensor& want, double tolerance = 2e-5) {
  ASSERT_EQ(got.dims(), want.dims());
  ASSERT_EQ(got.dtype(), want.dtype());
  for (int64_t i = 0; i < got.elements(); ++i) ASSERT_NEAR(got.at(i), want.at(i), tolerance) << "element " << i;
}

// softmax(scores) over the keys that `allowed` lets through, then the sum of values, of one query.
std::vector<double> weigh(const std::vector<double>& scores, const std::vector<std::vector<double>>& values) {
  double most = -INFINITY, total = 0;
  for (const double s : scores) most = std::max(most, s);
  std::vector<double> y(values[0].size(), 0.0);
  for (size_t t = 0; t < scores.size(); ++t) total += std::exp(scores[t] - most);
  for (size_t t = 0; t < scores.size(); ++t)
    for (size_t d = 0; d < y.size(); ++d) y[d] += std::exp(scores[t] - most) / total * values[t][d];
  return y;
}

// GroupQueryAttention as its document tells it, sample by sample.
struct Decoder {
  int64_t batch = 2, tokens = 1, past = 5, heads = 4, keys = 2, size = 16, window = -1;
  std::vector<int32_t> last{5, 3};  // seqlens_k

  std::vector<double> rotated(const Tensor& x, int64_t b, int64_t s, int64_t h, int64_t n, int64_t position, const Tensor& cos,
                              const Tensor& sin) const {
    std::vector<double> y;
    const int64_t half = size / 2;
    for (int64_t d = 0; d < size; ++d) {
      const double v = x.at(((b * tokens + s) * n + h) * size + d), other = x.at(((b * tokens + s) * n + h) * size + (d + half) % size);
      const double c = at(cos, {position, d % half}), w = at(sin, {position, d % half});
      y.push_back(d < half ? v * c - other * w : v * c + other * w);
    }
    return y;
  }

  void check() const {
    const int64_t total = past + tokens;
    const auto q = noise({batch, tokens, heads * size}), k = noise({batch, tokens, keys * size}), v = noise({batch, tokens, keys * size});
    const auto old_k = noise({batch, keys, past, size}), old_v = noise({batch, keys, past, size}), angles = noise({total, size / 2});
    Tensor cos = angles.clone(), sin = angles.clone(), seqlens(DType::i32, {batch});
    for (float& c : cos.data<float>()) c = std::cos(c);
    for (float& s : sin.data<float>()) s = std::sin(s);
    for (int64_t b = 0; b < batch; ++b) seqlens.set_int(b, last[static_cast<size_t>(b)]);
    const Dim B = Dim::symbol("b"), S = Dim::symbol("s"), P = Dim::symbol("p");
    const std::vector<Operand> operands{given(q.clone(), {B, S, heads * size}),
                                        given(k.clone(), {B, S, keys * size}),
                                        given(v.clone(), {B, S, keys * size}),
                                        given(old_k.clone(), {B, keys, P, size}),
                                        given(old_v.clone(), {B, keys, P, size}),
                                        given(std::move(seqlens), {B}),
                                        fixed(Tensor::scalar(static_cast<int32_t>(total))),
                                        fixed(cos.clone()),
                                        fixed(sin.clone())};
    const auto e = expand("GroupQueryAttention", operands,
                          {{"num_heads", heads}, {"kv_num_heads", keys}, {"do_rotary", int64_t{1}}, {"local_window_size", window}}, 3);
    EXPECT_EQ(e.graph.outputs[0]->type.text(), "f32[b,s,64]");
    const auto got = e.run();
    Tensor y(DType::f32, {batch, tokens, heads * size}), present(DType::f32, {batch, keys, total, size});
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t before = std::max<int64_t>(last[static_cast<size_t>(b)] + 1 - tokens, 0);
      for (int64_t g = 0; g < keys; ++g) {
        std::vector<std::vector<double>> all_k, all_v;
        for (int64_t t = 0; t < before + tokens; ++t) {
          std::vector<double> row_k, row_v;
          if (t >= before) row_k = rotated(k, b, t - before, g, keys, t, cos, sin);
          for (int64_t d = 0; d < size; ++d) {
            if (t < before) row_k.push_back(at(old_k, {b, g, t, d}));
            row_v.push_back(t < before ? at(old_v, {b, g, t, d}) : at(v, {b, t - before, g * size + d}));
            present.set(((b * keys + g) * total + t) * size + d, row_k[static_cast<size_t>(d)]);
          }
          all_k.push_back(row_k), all_v.push_back(row_v);
        }
        for (int64_t h = g * heads / keys; h < (g + 1) * heads / keys; ++h)
          for (int64_t s = 0; s < tokens; ++s) {
            const int64_t position = before + s, first = window > 0 ? std::max<int64_t>(position - window + 1, 0) : 0;
            const auto query = rotated(q, b, s, h, heads, position, cos, sin);
            std::vector<double> scores;
            for (int64_t t = first; t <= position; ++t) {
              scores.push_back(0);
              for (size_t d = 0; d < query.size(); ++d)
                scores.back() += query[d] * all_k[static_cast<size_t>(t)][d] / std::sqrt(static_cast<double>(size));
            }
            const auto row = weigh(scores, {all_v.begin() + first, all_v.begin() + position + 1});
            for (int64_t d = 0; d < size; ++d) y.set((b * tokens + s) * heads * size + h * size + d, row[static_cast<size_t>(d)]);
          }
      }
    }
    expect_near(got[0], y);
    expect_near(got[1], present);
  }
};

TEST(GroupQueryAttention, OneTokenBehindPastsOfDifferentLength) { Decoder{}.check(); }
TEST(GroupQueryAttention, Window) {
  Decoder d;
  d.window = 3;
  d.check();
}
TEST(GroupQueryAttention, ChunkBehindAPast) {
  Decoder d;
  d.batch = 1, d.tokens = 3, d.past = 4, d.last = {6};
  d.check();
}
TEST(GroupQueryAttention, PromptIntoAnEmptyCache) {
  Decoder d;
  d.tokens = 4, d.past = 0, d.last = {3, 3};
  d.check();
}

// x W + b, split into heads; a mask that lets keys through or adds -10000; causal behind the past.
TEST(ContribAttention, MaskPastAndCausality) {
  const int64_t B = 2, S = 3, P = 2, H = 2, D = 4, W = H * D, T = P + S;
  const auto x = noise({B, S, 5}), w = noise({5, 3 * W}), bias = noise({3 * W}), past = noise({2, B, H, P, D});
  const Tensor mask = Tensor::of<int32_t>({B, T}, {1, 1, 0, 1, 1, 0, 1, 1, 1, 1});
  const std::vector<Operand> operands{given(x.clone()), fixed(w.clone()), fixed(bias.clone()), given(mask.clone()), given(past.clone())};
  const auto got = expand("Attention", operands, {{"num_heads", H}, {"unidirectional", int64_t{1}}}, 2).run();
  const auto projected = [&](int64_t b, int64_t s, int64_t column) {
    double sum = bias.at(column);
    for (int64_t i = 0; i < 5; ++i) sum += at(x, {b, s, i}) * at(w, {i, column});
    return sum;
  };
  Tensor y(DType::f32, {B, S, W});
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t s = 0; s < S; ++s) {
        std::vector<double> scores;
        std::vector<std::vector<double>> values;
        for (int64_t t = 0; t <= P + s; ++t) {
          scores.push_back(mask.int_at(b * T + t) ? 0 : -10000);
          values.emplace_back();
          for (int64_t d = 0; d < D; ++d) {
            const double key = t < P ? at(past, {0, b, h, t, d}) : projected(b, t - P, W + h * D + d);
            scores.back() += projected(b, s, h * D + d) * key / 2;
            values.back().push_back(t < P ? at(past, {1, b, h, t, d}) : projected(b, t - P, 2 * W + h * D + d));
          }
        }
        const auto row = weigh(scores, values);
        for (int64_t d = 0; d < D; ++d) y.set((b * S + s) * W + h * D + d, row[static_cast<size_t>(d)]);
      }
  expect_near(got[0], y);
  EXPECT_EQ(got[1].dims(), (Dims{2, B, H, T, D}));
}

// Packed forms are the plain one in another place.
TEST(MultiHeadAttention, PackedIsPlain) {
  const int64_t B = 2, S = 3, H = 2, D = 4;
  const auto packed = noise({B, S, H, 3, D});
  Tensor parts[3] = {Tensor(DType::f32, {B, S, H * D}), Tensor(DType::f32, {B, S, H * D}), Tensor(DType::f32, {B, S, H * D})};
  for (int64_t i = 0; i < packed.elements(); ++i) parts[i / D % 3].set(i / (3 * D) * D + i % D, packed.at(i));
  const auto bias = noise({3 * H * D});
  const std::vector<Operand> one{given(packed.clone()), kAbsent, kAbsent, fixed(bias.clone())},
      three{given(parts[0].clone()), given(parts[1].clone()), given(parts[2].clone()), fixed(bias.clone())};
  expect_near(expand("MultiHeadAttention", one, {{"num_heads", H}}, 1).run()[0], expand("MultiHeadAttention", three, {{"num_heads", H}}, 1).run()[0],
              1e-6);
}

TEST(RotaryEmbedding, TurnsPairs) {
  const Tensor x = Tensor::of<float>({1, 1, 4}, {1, 2, 3, 4}), first = Tensor::of<int64_t>({1}, {1}),
               cos = Tensor::of<float>({2, 2}, {1, 1, 0, 0.6f}), sin = Tensor::of<float>({2, 2}, {0, 0, 1, 0.8f});
  const std::vector<Operand> operands{given(x.clone()), given(first.clone()), fixed(cos.clone()), fixed(sin.clone())};
  expect_near(expand("RotaryEmbedding", operands, {}, 1).run()[0], Tensor::of<float>({1, 1, 4}, {-3, 1.2f - 3.2f, 1, 1.6f + 2.4f}));
  expect_near(expand("RotaryEmbedding", operands, {{"interleaved", int64_t{1}}}, 1).run()[0],
              Tensor::of<float>({1, 1, 4}, {-2, 1, 1.8f - 3.2f, 2.4f + 2.4f}));
}

TEST(SkipLayerNorm, GivesTheSumToo) {
  const std::vector<Operand> operands{given(Tensor::of<float>({1, 1, 2}, {1, 2})), given(Tensor::of<float>({1, 1, 2}, {2, 5})),
                                      fixed(Tensor::of<float>({2}, {1, 2})), fixed(Tensor::of<float>({2}, {0.5f, 0})),
                                      fixed(Tensor::of<float>({2}, {0, 1}))};
  const auto e = expand("SkipLayerNormalization", operands, {}, 4);
  const auto got = e.run();  // 3 and 8: mean 5.5, deviation 2.5
  expect_near(got[0], Tensor::of<float>({1, 1, 2}, {-0.5f, 2}));
  expect_near(got[1], Tensor::of<float>({1, 1, 1}, {5.5f}));
  expect_near(got[2], Tensor::of<float>({1, 1, 1}, {0.4f}));
  expect_near(got[3], Tensor::of<float>({1, 1, 2}, {3, 8}));
}

TEST(EmbedLayerNorm, CountsWords) {
  const std::vector<Operand> operands{given(Tensor::of<int32_t>({1, 3}, {2, 0, 1})),
                                      kAbsent,
                                      fixed(noise({3, 4})),
                                      fixed(noise({5, 4})),
                                      kAbsent,
                                      fixed(noise({4})),
                                      fixed(noise({4})),
                                      given(Tensor::of<int32_t>({1, 3}, {1, 1, 0}))};
  const auto got = expand("EmbedLayerNormalization", operands, {}, 2).run();
  EXPECT_EQ(got[0].dims(), (Dims{1, 3, 4}));
  EXPECT_EQ(got[1].int_at(0), 2);
}

// Weights stay packed; zero points in codes, as numbers with fractions, and the middle of the range.
TEST(MatMulNBits, BlocksThatTheRowDoesNotFill) {
  const int64_t N = 3, K = 37, block = 16, blocks = 3;
  for (const int64_t bits : {2, 4, 8})
    for (const int zero_form : {0, 1, 2}) {
      const int64_t per_byte = 8 / bits, mask = (1 << bits) - 1;
      Tensor codes(DType::u8, {N, blocks, block / per_byte}),
          scales = noise({N, blocks}), packed_zeros(DType::u8, {N, (blocks + per_byte - 1) / per_byte}), zeros = noise({N, blocks});
      for (uint8_t& b : codes.data<uint8_t>()) b = static_cast<uint8_t>(dice()());
      for (uint8_t& b : packed_zeros.data<uint8_t>()) b = static_cast<uint8_t>(dice()());
      const auto code = [&](const Tensor& t, int64_t row, int64_t row_bytes, int64_t i) {
        return t.int_at(row * row_bytes + i / per_byte) >> (i % per_byte * bits) & mask;
      };
      const auto x = noise({2, K});
      std::vector<Operand> operands{given(x.clone()), fixed(codes.clone()), fixed(scales.clone())};
      if (zero_form == 1) operands.push_back(fixed(packed_zeros.clone()));
      if (zero_form == 2) operands.push_back(fixed(zeros.clone()));
      const auto e = expand("MatMulNBits", operands, {{"N", N}, {"K", K}, {"bits", bits}, {"block_size", block}}, 1);
      Tensor y(DType::f32, {2, N});
      for (int64_t m = 0; m < 2; ++m)
        for (int64_t n = 0; n < N; ++n) {
          double sum = 0;
          for (int64_t k = 0; k < K; ++k) {
            const int64_t b = k / block;
            const double zero = zero_form == 0   ? (1 << (bits - 1))
                                : zero_form == 1 ? static_cast<double>(code(packed_zeros, n, packed_zeros.dims()[1], b))
                                                 : at(zeros, {n, b});
            sum += at(x, {m, k}) * (static_cast<double>(code(codes, n, blocks * block / per_byte, k)) - zero) * at(scales, {n, b});
          }
          y.set(m * N + n, sum);
        }
      expect_near(e.run()[0], y, bits == 8 ? 2e-2 : 1e-3);
      int64_t stored = 0;
      for (const Value& v : e.graph.values())
        if (v.is_constant() && v.type.quant) stored += v.constant->bytes();
      EXPECT_EQ(stored, (N * K * bits + 7) / 8);
    }
}

TEST(FusedMatMul, BatchInside) {
  const auto a = noise({2, 3, 4}), b = noise({3, 4, 5});  // a stands as [M, batch, K]
  const std::vector<Operand> operands{given(a.clone()), given(b.clone())};
  const auto got = expand("FusedMatMul", operands, {{"transBatchA", int64_t{1}}, {"alpha", 0.5f}}, 1).run();
  Tensor y(DType::f32, {3, 2, 5});
  for (int64_t i = 0; i < y.elements(); ++i) {
    double sum = 0;
    for (int64_t k = 0; k < 4; ++k) sum += at(a, {i / 5 % 2, i / 10, k}) * at(b, {i / 10, k, i % 5});
    y.set(i, sum / 2);
  }
  expect_near(got[0], y);
}

TEST(FusedConv, SumThenActivation) {
  const std::vector<Operand> operands{given(Tensor::of<float>({1, 1, 3}, {1, -2, 3})), fixed(Tensor::of<float>({1, 1, 1}, {2})), kAbsent,
                                      given(Tensor::of<float>({1, 1, 3}, {0.5f, 1, -9}))};
  const auto got =
      expand("FusedConv", operands, {{"activation", std::string("LeakyRelu")}, {"activation_params", std::vector<float>{0.5f}}}, 1).run();
  expect_near(got[0], Tensor::of<float>({1, 1, 3}, {2.5f, -1.5f, -1.5f}));
  EXPECT_THROW(expand("FusedConv", operands, {{"activation", std::string("Frobnicate")}}, 1), Error);
}

TEST(GatherBlockQuantized, PackedTable) {
  Tensor table(DType::u8, {2, 16});  // two rows of 32 codes, two blocks each
  for (int64_t i = 0; i < 32; ++i) table.set_int(i, i);
  const std::vector<Operand> operands{fixed(table.clone()), given(Tensor::of<int64_t>({1}, {1})), fixed(Tensor::of<float>({2, 2}, {1, 2, 0.5f, 4}))};
  const auto got = expand("GatherBlockQuantized", operands, {{"block_size", int64_t{16}}}, 1).run();
  ASSERT_EQ(got[0].dims(), (Dims{1, 32}));
  for (int64_t i = 0; i < 32; ++i) EXPECT_EQ(got[0].at(i), (static_cast<double>((16 + i / 2) >> (i % 2 * 4) & 15) - 8) * (i < 16 ? 0.5 : 4));
}

TEST(MatrixInverse, TimesMatrixIsOne) {
  const Tensor m = Tensor::of<float>({1, 3, 3}, {0, 1, 2, 1, 0, 3, 4, -3, 8});
  const std::vector<Operand> operands{given(m.clone())};
  const auto inverse = expand("Inverse", operands, {}, 1).run();
  for (int64_t i = 0; i < 9; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < 3; ++k) sum += m.at(i / 3 * 3 + k) * inverse[0].at(k * 3 + i % 3);
    EXPECT_NEAR(sum, i % 4 == 0 ? 1 : 0, 1e-5);
  }
}

TEST(CropAndResize, CornersAndOutside) {
  const Tensor x = Tensor::of<float>({1, 1, 2, 2}, {1, 2, 3, 4});
  const std::vector<Operand> operands{given(x.clone()), given(Tensor::of<float>({1, 4}, {0, 0, 1, 2})), given(Tensor::of<int32_t>({1}, {0})),
                                      fixed(Tensor::of<int32_t>({2}, {3, 3}))};
  const auto got = expand("CropAndResize", operands, {{"extrapolation_value", -1.0f}}, 1).run();
  expect_near(got[0], Tensor::of<float>({1, 1, 3, 3}, {1, 2, -1, 2, 3, -1, 3, 4, -1}));
}

}  // namespace
}  // namespace onecard
