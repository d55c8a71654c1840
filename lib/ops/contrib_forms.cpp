#include "lib/ops/attention_parts.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/matmul.h"
#include "lib/ops/movement.h"
#include "lib/ops/normalize.h"
#include "lib/ops/range.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/softmax.h"
#include "lib/ops/unique.h"

namespace onecard {
namespace {

using Values = std::vector<Value*>;

// --- forms of ONNX operators ---

Values expand_dims(const OnnxNode& node) {
  const Expansion ex(node);
  Value* axis = ex.reshape(ex.cast(node.needed(1), DType::i64), {1});
  return {node.add_op(Unsqueeze(), {node.needed(0), axis})};
}

Values range(const OnnxNode& node) {
  const Expansion ex(node);
  Value* start = node.needed(0);
  Value* delta = node.input(2) ? node.input(2) : ex.scalar(start->type.dtype, 1);
  const auto number = [&](Value* v) { return ex.reshape(v, std::vector<int64_t>{}); };
  return {node.add_op(Range(), {number(start), number(node.needed(1)), number(delta)})};
}

Values unique(const OnnxNode& node) {
  Unique op;
  op.order = UniqueOrder::first_seen;
  const Values all = node.add_all(op, {node.needed(0)});
  return {all[0], all[2], all[3]};
}

Values pad(const OnnxNode& node) {
  const Expansion ex(node);
  OnnxNode plain = node;
  plain.inputs[1] = ex.reshape(ex.cast(node.needed(1), DType::i64), {-1});
  if (node.input(2)) plain.inputs[2] = ex.reshape(node.input(2), std::vector<int64_t>{});
  return Pad::from_onnx(plain);
}

Values bias_softmax(const OnnxNode& node) {
  OnnxNode softmax = node;  // over all axes from `axis` on, as Softmax before opset 13
  softmax.op_type = "Softmax", softmax.domain = "", softmax.opset = 11;
  softmax.attributes = {{"axis", node.attr<int64_t>("axis", 1)}};
  softmax.inputs = {Expansion(node).add(node.needed(0), node.needed(1))};
  return Softmax::from_onnx(softmax);
}

// All slices of `size` along `dim`, in a new last axis.
Values unfold(const OnnxNode& node) {
  const Expansion ex(node);
  Value* x = node.needed(0);
  const auto size = node.needed_attr<int64_t>("size"), step = node.attr<int64_t>("step", 1);
  require(x->type.shape.has_rank(), ErrorKind::model, "the rank of the input must be known");
  require(size > 0 && size <= kContentsLimit && step > 0, ErrorKind::model, "size ", size, " and step ", step, " are not supported");
  const int64_t rank = x->type.shape.rank(), dim = checked_axis(node.attr<int64_t>("dim", -1), rank);
  Value* last = ex.sub(ex.extents(x, dim), ex.ints({size}));
  Value* count = ex.add(ex.binary(BinaryFn::div, last, ex.ints({step})), ex.ints({1}));
  Value* starts = ex.unsqueeze(ex.mul(ex.counted(count), ex.scalar(DType::i64, static_cast<double>(step))), {1});
  Value* taken = ex.gather(x, ex.add(starts, ex.counted(ex.ints({size}))), dim);  // [.., count, size, ..]
  std::vector<int64_t> perm;
  for (int64_t a = 0; a <= rank; ++a)
    if (a != dim + 1) perm.push_back(a);
  perm.push_back(dim + 1);
  return {ex.transpose(taken, perm)};
}

// --- elementwise ---

Values scaled_silu(const OnnxNode& node) {
  const Expansion ex(node);
  Value* x = node.needed(0);
  Value* z = node.input(1) ? ex.mul(x, node.input(1)) : ex.times(x, static_cast<double>(node.attr("alpha", 1.0f)));
  return {ex.unary({Fn::silu, 1}, z)};
}

Values gated_add(const OnnxNode& node) {
  const Expansion ex(node);
  return {ex.add(node.needed(0), ex.mul(node.needed(1), node.needed(2)))};
}

Values bias_add(const OnnxNode& node) {
  const Expansion ex(node);
  return {ex.add(ex.add(node.needed(0), node.needed(1)), node.needed(2))};
}

Values bias_split_gelu(const OnnxNode& node) {
  const Expansion ex(node);
  Value* sum = ex.add(node.needed(0), node.needed(1));
  const int64_t half = part_size(sum, 2, "the input");
  const Values parts = ex.split(sum, -1, {half, half});
  return {ex.mul(parts[0], ex.unary({Fn::gelu}, parts[1]))};
}

Values complex_product(const OnnxNode& node) {
  const Expansion ex(node);
  const Values a = ex.split(node.needed(0), -1, {1, 1}), b = ex.split(node.needed(1), -1, {1, 1});
  const bool conjugate = node.op_type == "ComplexMulConj";
  const BinaryFn real = conjugate ? BinaryFn::add : BinaryFn::sub, imaginary = conjugate ? BinaryFn::sub : BinaryFn::add;
  Value* first = ex.binary(real, ex.mul(a[0], b[0]), ex.mul(a[1], b[1]));
  Value* second = ex.binary(imaginary, ex.mul(a[1], b[0]), ex.mul(a[0], b[1]));
  return {ex.concat({first, second}, -1)};
}

// --- rows ---

// |a_i - b_k|^2 = |a_i|^2 + |b_k|^2 - 2 a_i b_k, and its root.
Values distances(const OnnxNode& node) {
  const Expansion ex(node);
  const auto metric = node.attr<std::string>("metric", "sqeuclidean");
  require(metric == "euclidean" || metric == "sqeuclidean", ErrorKind::model, "metric '", metric,
          "' is not supported; euclidean and sqeuclidean are");
  Value *a = node.needed(0), *b = node.needed(1);
  MatMul product;
  product.transpose_b = Transpose2::yes;
  product.alpha = -2;
  Value* squares = ex.add(ex.reduce(ReduceFn::sum_square, a, {1}), ex.unsqueeze(ex.reduce(ReduceFn::sum_square, b, {1}, KeepDims::no), {0}));
  Value* y = ex.unary({Fn::relu}, ex.add(squares, node.add_op(product, {a, b})));
  return {metric == "euclidean" ? ex.unary({Fn::sqrt}, y) : y};
}

Values gated_rms_norm(const OnnxNode& node) {
  const Expansion ex(node);
  const auto activation = node.attr<std::string>("activation", "silu");
  require(activation == "silu" || activation == "swish" || activation == "sigmoid", ErrorKind::model, "activation '", activation, "' is not known");
  Value *x = node.needed(0), *scale = node.needed(1), *gate = node.needed(2);
  const int64_t features = part_size(x, 1, "the input"), size = part_size(scale, 1, "the scale");
  require(features % size == 0, ErrorKind::model, features, " features are not whole groups of ", size);
  std::vector<int64_t> list(static_cast<size_t>(x->type.shape.rank() - 1), 0), back = list;
  list.insert(list.end(), {features / size, size});
  back.push_back(features);
  RmsNorm norm;
  norm.epsilon = node.attr("epsilon", 1e-5f);
  Value* y = ex.reshape(node.add_op(norm, {ex.reshape(x, list), scale}), back);
  return {ex.mul(y, ex.unary(activation == "sigmoid" ? Activation{Fn::sigmoid} : Activation{Fn::silu, 1}, gate))};
}

struct Form {
  std::string_view op_type;
  Values (*import)(const OnnxNode&);
};
constexpr Form kForms[] = {{"ExpandDims", expand_dims},
                           {"Range", range},
                           {"Unique", unique},
                           {"Pad", pad},
                           {"BiasSoftmax", bias_softmax},
                           {"UnfoldTensor", unfold},
                           {"ScaledSiLU", scaled_silu},
                           {"GatedAdd", gated_add},
                           {"BiasAdd", bias_add},
                           {"BiasSplitGelu", bias_split_gelu},
                           {"ComplexMul", complex_product},
                           {"ComplexMulConj", complex_product},
                           {"CDist", distances},
                           {"GatedRMSNorm", gated_rms_norm}};
constexpr auto kNames = [] {
  std::array<OnnxName, std::size(kForms)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = {"com.microsoft", kForms[i].op_type, 1};
  return names;
}();

}  // namespace

// com.microsoft's small operators that are another form of ONNX's, or a few of them in a row; expanded at import.
struct ContribForms {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(ContribForms)

const std::span<const OnnxName> ContribForms::kOnnx{kNames};

std::vector<Value*> ContribForms::from_onnx(const OnnxNode& node) {
  for (const Form& form : kForms)
    if (form.op_type == node.op_type) return form.import(node);
  fail(ErrorKind::internal, "no form of ", node.op_type);
}

}  // namespace onecard
