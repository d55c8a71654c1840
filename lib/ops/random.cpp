#include "lib/ops/random.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <utility>

#include "lib/ops/arithmetic.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

// numpy's RandomState: MT19937, doubles of 53 bits, normal numbers by Marsaglia's polar method in pairs.
class RandomState {
 public:
  explicit RandomState(int64_t seed) : words_(static_cast<uint32_t>(seed)) {}
  double uniform() {
    const uint32_t high = words_() >> 5, low = words_() >> 6;
    return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) / 9007199254740992.0;
  }
  double normal() {
    if (spare_) return *std::exchange(spare_, std::nullopt);
    double a = 0, b = 0, square = 0;
    do {
      a = 2 * uniform() - 1;
      b = 2 * uniform() - 1;
      square = a * a + b * b;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * std::log(square) / square);
    spare_ = factor * a;
    return factor * b;
  }

 private:
  std::mt19937 words_;
  std::optional<double> spare_;
};

double draw(const RandomLike& op, RandomState& state, const Tensor& x, int64_t i) {
  switch (op.distribution) {
    case Distribution::uniform: return op.low + state.uniform() * (static_cast<double>(op.high) - op.low);
    case Distribution::normal: return op.low + static_cast<double>(op.high) * state.normal();
    case Distribution::bernoulli: break;
  }
  const double p = x.at(i), u = state.uniform();  // as numpy's binomial of one trial
  return p <= 0.5 ? u > 1 - p : u <= p;
}

// ONNX gives seeds as floats.
int64_t seed_of(const OnnxNode& node) {
  if (!node.has("seed")) return seed_from_name(node.name);
  const float seed = node.needed_attr<float>("seed");
  require(std::abs(seed) < 0x1p32f, ErrorKind::model, "the seed is ", seed);
  return static_cast<int64_t>(seed);
}

DType dtype_attr(const OnnxNode& node, DType otherwise) {
  const auto code = node.attr<int64_t>("dtype", static_cast<int64_t>(otherwise));
  require(dtype_is_known(code), ErrorKind::model, "attribute 'dtype' is ", code);
  return static_cast<DType>(code);
}

constexpr OnnxName kRandom[] = {
    {"", "RandomUniform", 1}, {"", "RandomUniformLike", 1}, {"", "RandomNormal", 1}, {"", "RandomNormalLike", 1}, {"", "Bernoulli", 15}};

// What the ONNX operators call the two parameters; the last row has none.
struct Family {
  std::string_view prefix;
  Distribution distribution;
  std::string_view low, high;
};
constexpr Family kFamilies[] = {{"RandomUniform", Distribution::uniform, "low", "high"},
                                {"RandomNormal", Distribution::normal, "mean", "scale"},
                                {"", Distribution::bernoulli, "", ""}};

constexpr OnnxName kMultinomial[] = {{"", "Multinomial", 7}};

}  // namespace

int64_t seed_from_name(std::string_view name) {
  uint64_t hash = 1469598103934665603u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return static_cast<int64_t>(hash & 0xffffff);
}

std::vector<TensorType> RandomLike::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  const bool allowed = is_arithmetic_float(dtype) || (distribution == Distribution::bernoulli && (is_byte_integer(dtype) || dtype == DType::boolean));
  require(allowed, ErrorKind::model, "draws ", info(dtype).name);
  require(distribution != Distribution::bernoulli || is_float(x.dtype), ErrorKind::model, "probabilities must be floats");
  return {TensorType(dtype, x.shape)};
}

void RandomLike::reference(Inputs in, Outputs out) const {
  Tensor& y = allocated(out[0], dtype, in[0]->dims());
  RandomState state(seed);
  for (int64_t i = 0; i < y.elements(); ++i) y.set(i, draw(*this, state, *in[0], i));
}

std::optional<OnnxForm> RandomLike::to_onnx(const Node&) const {
  OnnxForm form{"Bernoulli", {{"dtype", static_cast<int64_t>(dtype)}, {"seed", static_cast<float>(seed)}}, ""};
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
  const Family& family =
      *std::find_if(std::begin(kFamilies), std::end(kFamilies) - 1, [&](const Family& f) { return node.op_type.starts_with(f.prefix); });
  op.distribution = family.distribution;
  op.low = node.attr<float>(family.low, 0.0f);
  op.high = node.attr<float>(family.high, 1.0f);
  if (!by_shape) return {node.add_op(op, {node.needed(0)})};
  Value* shape = int_list(node, node.needed_attr<std::vector<int64_t>>("shape"));
  return {node.add_op(op, {node.add_op(Expand{}, {node.constant(Tensor(op.dtype, Dims{})), shape})})};
}

std::vector<TensorType> Multinomial::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(is_arithmetic_float(x.dtype) && (dtype == DType::i32 || dtype == DType::i64), ErrorKind::model, "draws ", info(dtype).name, " by ", x);
  require(!x.shape.has_rank() || x.shape.rank() == 2, ErrorKind::model, "expects [batch, classes], got ", x.shape);
  return {TensorType(dtype, Shape{x.shape.has_rank() ? x.shape[0] : Dim::unknown(), checked_extent(samples)})};
}

void Multinomial::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  require(x.rank() == 2 && (x.dims()[1] > 0 || x.dims()[0] == 0), ErrorKind::model, "expects [batch, classes], got ", x.type());
  const int64_t classes = x.dims()[1];
  Tensor& y = allocated(out[0], dtype, {x.dims()[0], samples});
  std::vector<double> sums(static_cast<size_t>(classes));
  RandomState state(seed);
  for (int64_t b = 0; b < x.dims()[0]; ++b) {
    double largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; ++c) largest = std::max(largest, x.at(b * classes + c));
    for (int64_t c = 0; c < classes; ++c) sums[static_cast<size_t>(c)] = sum += std::exp(x.at(b * classes + c) - largest);
    for (int64_t s = 0; s < samples; ++s) {
      const double u = state.uniform() * sum;
      int64_t c = 0;
      while (c + 1 < classes && sums[static_cast<size_t>(c)] <= u) ++c;
      y.set_int(b * samples + s, c);
    }
  }
}

std::optional<OnnxForm> Multinomial::to_onnx(const Node&) const {
  return OnnxForm{"Multinomial", {{"dtype", static_cast<int64_t>(dtype)}, {"sample_size", samples}, {"seed", static_cast<float>(seed)}}, ""};
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
