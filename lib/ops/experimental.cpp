#include <array>

#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {

// Operators that ONNX 1.0 to 1.3 had as experimental and dropped or redefined later (docs/Operators.md of onnx 1.3), expanded at import.
struct Experimental {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(Experimental)

namespace {

Value* scaled(const OnnxNode& node, Value* x, float factor) {
  return factor == 1 ? x : node.add_op(Binary(BinaryFn::mul), {x, node.constant(scalar_tensor(x->type.dtype, static_cast<double>(factor)))});
}
Value* shifted(const OnnxNode& node, Value* x, float term) {
  return term == 0 ? x : node.add_op(Binary(BinaryFn::add), {x, node.constant(scalar_tensor(x->type.dtype, static_cast<double>(term)))});
}

// alpha x + beta
Value* import_affine(const OnnxNode& node) { return shifted(node, scaled(node, node.needed(0), node.attr("alpha", 1.0f)), node.attr("beta", 0.0f)); }
// scale x
Value* import_scale(const OnnxNode& node) { return scaled(node, node.needed(0), node.attr("scale", 1.0f)); }
// alpha f(beta x)
Value* import_scaled_tanh(const OnnxNode& node) {
  return scaled(node, node.add_op(Unary({Fn::tanh}), {scaled(node, node.needed(0), node.attr("beta", 1.0f))}), node.attr("alpha", 1.0f));
}
Value* import_parametric_softplus(const OnnxNode& node) {
  return scaled(node, node.add_op(Unary({Fn::softplus}), {scaled(node, node.needed(0), node.attr("beta", 1.0f))}), node.attr("alpha", 1.0f));
}

// scale x + bias[c], x [N, C, H, W]
Value* import_image_scaler(const OnnxNode& node) {
  const auto bias = node.attr<std::vector<float>>("bias", {});
  Value* x = scaled(node, node.needed(0), node.attr("scale", 1.0f));
  if (bias.empty()) return x;
  const auto channels = static_cast<int64_t>(bias.size());
  return node.add_op(Binary(BinaryFn::add), {x, node.constant(convert(Tensor::of<float>({channels, 1, 1}, bias), x->type.dtype))});
}

// x [N, C, H, W] without border = {left, top, right, bottom}; with scale = {height, width}, of that size from the corner.
Value* import_crop(const OnnxNode& node) {
  const auto border = node.attr<std::vector<int64_t>>("border", {0, 0, 0, 0}), scale = node.attr<std::vector<int64_t>>("scale", {});
  require(border.size() == 4 && (scale.empty() || scale.size() == 2), ErrorKind::model, "border has ", border.size(), " entries, scale ",
          scale.size());
  for (const int64_t n : border) require(n >= 0 && n < INT32_MAX, ErrorKind::model, "a border of ", n);
  for (const int64_t n : scale) require(n > 0 && n < INT32_MAX, ErrorKind::model, "crops to ", n);
  const auto end = [](int64_t cut) { return cut == 0 ? int64_t{INT64_MAX} : -cut; };
  const std::vector<int64_t> ends =
      scale.empty() ? std::vector<int64_t>{end(border[3]), end(border[2])} : std::vector<int64_t>{border[1] + scale[0], border[0] + scale[1]};
  return node.add_op(Slice{}, {node.needed(0), int_list(node, {border[1], border[0]}), int_list(node, ends), int_list(node, {2, 3})});
}

// The shape to fill: attribute `shape`; with an input, the input's shape, or its elements when input_as_shape, and extra_shape behind.
Value* shape_to_fill(const OnnxNode& node) {
  if (!node.input(0)) return int_list(node, node.needed_attr<std::vector<int64_t>>("shape"));
  const bool elements = node.attr<int64_t>("input_as_shape", 0) != 0;
  Cast to_i64;
  to_i64.to = DType::i64;
  Value* shape = elements ? node.add_op(to_i64, {node.needed(0)}) : node.add_op(ShapeOf{}, {node.needed(0)});
  const auto extra = node.attr<std::vector<int64_t>>("extra_shape", {});
  return extra.empty() ? shape : node.add_op(Concat{}, {shape, int_list(node, extra)});
}
Value* import_given_tensor_fill(const OnnxNode& node) {
  const auto values = node.needed_attr<std::vector<float>>("values");
  Reshape op;
  op.zero_means = ZeroMeans::zero;
  return node.add_op(op, {node.constant(Tensor::of<float>({static_cast<int64_t>(values.size())}, values)), shape_to_fill(node)});
}
Value* import_constant_fill(const OnnxNode& node) {
  const auto code = node.attr<int64_t>("dtype", 1);
  require(dtype_is_known(code) && is_numeric(static_cast<DType>(code)), ErrorKind::model, "fills with element type ", code);
  return node.add_op(Expand{},
                     {node.constant(scalar_tensor(static_cast<DType>(code), static_cast<double>(node.attr("value", 0.0f)))), shape_to_fill(node)});
}

// Inputs: x, starts, ends, axes (optional); the attributes of Slice became inputs so for the first time.
Value* import_dynamic_slice(const OnnxNode& node) {
  std::vector<Value*> in{node.needed(0), node.needed(1), node.needed(2)};
  if (node.input(3)) in.push_back(node.input(3));
  return node.add_op(Slice{}, in);
}

// (x - mean) / (deviation + 1e-9) over `axes`; before opset 9 these are all, or all but the channels, and the division may be left out.
Value* import_mean_variance_normalization(const OnnxNode& node) {
  const bool old = node.opset < 9, across = old && node.attr<int64_t>("across_channels", 0) != 0;
  Reduce mean;
  mean.fn = ReduceFn::mean;
  mean.keep_dims = KeepDims::yes;
  Value* axes = int_list(
      node, old ? across ? std::vector<int64_t>{0, 1, 2, 3} : std::vector<int64_t>{0, 2, 3} : node.attr<std::vector<int64_t>>("axes", {0, 2, 3}));
  Value* centred = node.add_op(Binary(BinaryFn::sub), {node.needed(0), node.add_op(mean, {node.needed(0), axes})});
  if (old && node.attr<int64_t>("normalize_variance", 1) == 0) return centred;
  Value* variance = node.add_op(mean, {node.add_op(Unary({Fn::square}), {centred}), axes});
  return node.add_op(Binary(BinaryFn::div), {centred, shifted(node, node.add_op(Unary({Fn::sqrt}), {variance}), 1e-9f)});
}

struct Form {
  std::string_view op_type;
  Value* (*import)(const OnnxNode&);
};
constexpr Form kForms[] = {
    {"Affine", import_affine},
    {"Scale", import_scale},
    {"ScaledTanh", import_scaled_tanh},
    {"ParametricSoftplus", import_parametric_softplus},
    {"ImageScaler", import_image_scaler},
    {"Crop", import_crop},
    {"GivenTensorFill", import_given_tensor_fill},
    {"ConstantFill", import_constant_fill},
    {"DynamicSlice", import_dynamic_slice},
    {"MeanVarianceNormalization", import_mean_variance_normalization},
};
constexpr auto kNames = [] {
  std::array<OnnxName, std::size(kForms)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = {"", kForms[i].op_type, 1};
  return names;
}();

}  // namespace

const std::span<const OnnxName> Experimental::kOnnx{kNames};

std::vector<Value*> Experimental::from_onnx(const OnnxNode& node) {
  for (const Form& form : kForms)
    if (form.op_type == node.op_type) return {form.import(node)};
  fail(ErrorKind::internal, "no form of ", node.op_type);
}

}  // namespace onecard
