#include "lib/ops/random.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "lib/ops/arithmetic.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

// Four random words for one counter (Philox 4x32-10).
std::array<uint32_t, 4> philox(uint64_t counter, uint64_t seed) {
  std::array<uint32_t, 4> x{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0};
  auto k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p = uint64_t{0xD2511F53u} * x[0], q = uint64_t{0xCD9E8D57u} * x[2];
    x = {static_cast<uint32_t>(q >> 32) ^ x[1] ^ k0, static_cast<uint32_t>(q), static_cast<uint32_t>(p >> 32) ^ x[3] ^ k1, static_cast<uint32_t>(p)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return x;
}

// Two independent numbers in [0, 1) of 53 bits.
std::array<double, 2> uniform_pair(uint64_t counter, uint64_t seed) {
  const auto w = philox(counter, seed);
  const auto number = [](uint32_t high, uint32_t low) { return static_cast<double>(((uint64_t{high} << 32) | low) >> 11) * 0x1p-53; };
  return {number(w[0], w[1]), number(w[2], w[3])};
}

double draw(const RandomLike& op, const Tensor& x, int64_t i) {
  const auto [u, v] = uniform_pair(static_cast<uint64_t>(i), static_cast<uint64_t>(op.seed));
  switch (op.distribution) {
    case Distribution::uniform: return op.low + u * (static_cast<double>(op.high) - op.low);
    case Distribution::normal: return op.low + static_cast<double>(op.high) * std::sqrt(-2 * std::log(1 - u)) * std::cos(2 * std::numbers::pi * v);
    case Distribution::bernoulli: return u < x.at(i) ? 1 : 0;
  }
  return 0;
}

// The seed given, or one made from the node's name, so that nodes differ and runs repeat.
int64_t seed_of(const OnnxNode& node) {
  if (node.has("seed")) return std::bit_cast<int32_t>(node.needed_attr<float>("seed"));
  uint64_t hash = 1469598103934665603u;
  for (const char c : node.name) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return static_cast<int64_t>(hash);
}

DType dtype_attr(const OnnxNode& node, DType otherwise) {
  const auto code = node.attr<int64_t>("dtype", static_cast<int64_t>(otherwise));
  require(dtype_is_known(code), ErrorKind::model, "attribute 'dtype' is ", code);
  return static_cast<DType>(code);
}

constexpr OnnxName kRandom[] = {{"", "RandomUniform", 1}, {"", "RandomUniformLike", 1}, {"", "RandomNormal", 1}, {"", "RandomNormalLike", 1}, {"", "Bernoulli", 15}};

// What the ONNX operators call the two parameters; the last row has none.
struct Family {
  std::string_view prefix;
  Distribution distribution;
  std::string_view low, high;
};
constexpr Family kFamilies[] = {{"RandomUniform", Distribution::uniform, "low", "high"}, {"RandomNormal", Distribution::normal, "mean", "scale"}, {"", Distribution::bernoulli, "", ""}};

constexpr OnnxName kMultinomial[] = {{"", "Multinomial", 7}};

}  // namespace

std::vector<TensorType> RandomLike::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  const bool allowed = is_arithmetic_float(dtype) || (distribution == Distribution::bernoulli && (is_byte_integer(dtype) || dtype == DType::boolean));
  require(allowed, ErrorKind::model, "draws ", info(dtype).name);
  require(distribution != Distribution::bernoulli || is_float(x.dtype), ErrorKind::model, "probabilities must be floats");
  return {TensorType(dtype, x.shape)};
}

void RandomLike::reference(Inputs in, Outputs out) const {
  Tensor& y = allocated(out[0], dtype, in[0]->dims());
  for (int64_t i = 0; i < y.elements(); ++i) y.set(i, draw(*this, *in[0], i));
}

std::optional<OnnxForm> RandomLike::to_onnx(const Node&) const {
  OnnxForm form{"Bernoulli", {{"dtype", static_cast<int64_t>(dtype)}, {"seed", std::bit_cast<float>(static_cast<int32_t>(seed & 0x3fffffff))}}, ""};
  if (distribution == Distribution::bernoulli) return form;
  const bool normal = distribution == Distribution::normal;
  form.op_type = normal ? "RandomNormalLike" : "RandomUniformLike";
  form.attributes[normal ? "mean" : "low"] = low;
  form.attributes[normal ? "scale" : "high"] = high;
  return form;
}

const std::span<const OnnxName> RandomLike::kOnnx{kRandom};

std::vector<Value*> RandomLike::from_onnx(const OnnxNode& node) {
  RandomLike op;
  const bool by_shape = node.has("shape");
  op.dtype = dtype_attr(node, by_shape ? DType::f32 : node.needed(0)->type.dtype);
  op.seed = seed_of(node);
  const Family& family = *std::find_if(std::begin(kFamilies), std::end(kFamilies) - 1, [&](const Family& f) { return node.op_type.starts_with(f.prefix); });
  op.distribution = family.distribution;
  op.low = node.attr<float>(family.low, 0.0f);
  op.high = node.attr<float>(family.high, 1.0f);
  if (!by_shape) return {node.add_op(op, {node.needed(0)})};
  Value* shape = int_list(node, node.needed_attr<std::vector<int64_t>>("shape"));
  return {node.add_op(op, {node.add_op(Expand{}, {node.constant(Tensor(op.dtype, Dims{})), shape})})};
}

std::vector<TensorType> Multinomial::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(is_arithmetic_float(x.dtype) && (dtype == DType::i32 || dtype == DType::i64), ErrorKind::model, "draws ", info(dtype).name, " by ", x.text());
  require(!x.shape.has_rank() || x.shape.rank() == 2, ErrorKind::model, "expects [batch, classes], got ", x.shape.text());
  return {TensorType(dtype, Shape{x.shape.has_rank() ? x.shape[0] : Dim::unknown(), checked_extent(samples)})};
}

void Multinomial::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  require(x.rank() == 2 && (x.dims()[1] > 0 || x.dims()[0] == 0), ErrorKind::model, "expects [batch, classes], got ", x.type().text());
  const int64_t classes = x.dims()[1];
  Tensor& y = allocated(out[0], dtype, {x.dims()[0], samples});
  std::vector<double> sums(static_cast<size_t>(classes));
  for (int64_t b = 0; b < x.dims()[0]; ++b) {
    double largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; ++c) largest = std::max(largest, x.at(b * classes + c));
    for (int64_t c = 0; c < classes; ++c) sums[static_cast<size_t>(c)] = sum += std::exp(x.at(b * classes + c) - largest);
    for (int64_t s = 0; s < samples; ++s) {
      const double u = uniform_pair(static_cast<uint64_t>(b * samples + s), static_cast<uint64_t>(seed))[0] * sum;
      int64_t c = 0;
      while (c + 1 < classes && sums[static_cast<size_t>(c)] <= u) ++c;
      y.set_int(b * samples + s, c);
    }
  }
}

std::optional<OnnxForm> Multinomial::to_onnx(const Node&) const {
  return OnnxForm{"Multinomial",
                  {{"dtype", static_cast<int64_t>(dtype)}, {"sample_size", samples}, {"seed", std::bit_cast<float>(static_cast<int32_t>(seed & 0x3fffffff))}}, ""};
}

const std::span<const OnnxName> Multinomial::kOnnx{kMultinomial};

std::vector<Value*> Multinomial::from_onnx(const OnnxNode& node) {
  Multinomial op;
  op.dtype = dtype_attr(node, DType::i32);
  op.samples = node.attr<int64_t>("sample_size", 1);
  op.seed = seed_of(node);
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(RandomLike)
DEFINE_OP(Multinomial)

}  // namespace onecard
