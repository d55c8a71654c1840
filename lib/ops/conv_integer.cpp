#include "lib/ops/conv_integer.h"

#include <cmath>
#include <limits>

#include "lib/ops/window.h"

namespace onecard {

namespace {

constexpr OnnxName kIntegerNames[] = {{"", "ConvInteger", 10}};
constexpr OnnxName kLinearNames[] = {{"", "QLinearConv", 10}};

template <class O>
Conv float_conv(const O& op) {
  Conv conv;
  conv.strides = op.strides, conv.dilations = op.dilations, conv.pads = op.pads;
  conv.group = op.group, conv.auto_pad = op.auto_pad;
  return conv;
}

void check_byte(const TensorType& t, const char* what) {
  require(t.dtype == DType::i8 || t.dtype == DType::u8, ErrorKind::model, what, " is ", info(t.dtype).name, "; it must be i8 or u8");
}

// The shape that the float convolution of the same geometry has.
Shape conv_shape(const Conv& conv, const Shape& x, const Shape& w) {
  InputInfo in[2];
  in[0].type = TensorType(DType::f32, x);
  in[1].type = TensorType(DType::f32, w);
  return conv.infer(InferContext(in))[0].shape;
}

// A scale or zero point of one number, or of `channels`.
void check_parameter(const InferContext& in, size_t i, DType dtype, const Dim& channels) {
  if (!in.has(i)) return;
  const TensorType& t = in.type(i);
  require(t.dtype == dtype, ErrorKind::model, "input ", i, " is ", info(t.dtype).name, "; it must be ", info(dtype).name);
  if (!t.shape.has_rank() || t.shape.rank() == 0) return;
  const auto n = t.shape.rank() == 1 ? t.shape[0].maybe() : std::optional<int64_t>(-1);
  require(!n || *n == 1 || !channels.is_number() || channels == Dim(*n), ErrorKind::model, "input ", i, " has shape ", t.shape, " for ", channels,
          " channels");
}

// t less its zero point: one number, or one per index of axis 0.
Tensor centred(const Tensor& t, const Tensor* zero) {
  Tensor out(DType::f64, t.dims());
  const int64_t zeros = zero ? zero->elements() : 0;
  const int64_t inner = zeros > 1 ? t.elements() / zeros : std::max<int64_t>(t.elements(), 1);
  auto to = out.data<double>();
  for (int64_t i = 0; i < t.elements(); ++i) to[static_cast<size_t>(i)] = t.at(i) - (zeros > 0 ? zero->at(i / inner) : 0.0);
  return out;
}

// The sums as doubles, exact: products of bytes stay below 2^53 for any weight that fits memory.
Tensor exact_sums(const Conv& conv, const Tensor& x, const Tensor* x_zero, const Tensor& w, const Tensor* w_zero, const Dims& y) {
  const Tensor xs = centred(x, x_zero), ws = centred(w, w_zero);
  const Tensor* in[] = {&xs, &ws};
  Tensor out[1];
  out[0] = Tensor(DType::f64, y);
  conv.reference(in, out);
  return std::move(out[0]);
}

const Tensor* optional_input(Inputs in, size_t i) { return i < in.size() ? in[i] : nullptr; }

template <class O>
OnnxForm conv_form(const O& op, const char* name) {
  OnnxForm form{name, {}, ""};
  put_list(form, "strides", op.strides);
  put_list(form, "dilations", op.dilations);
  if (op.auto_pad == AutoPad::notset) put_list(form, "pads", op.pads);
  put_auto_pad(form, op.auto_pad);
  if (op.group != 1) form.attributes["group"] = op.group;
  return form;
}

template <class O>
O conv_op(const OnnxNode& node, size_t weight) {
  O op;
  op.auto_pad = onnx_auto_pad(node);
  op.strides = onnx_list(node, "strides", 1);
  op.dilations = onnx_list(node, "dilations", 1);
  if (op.auto_pad == AutoPad::notset) op.pads = onnx_list(node, "pads", 0);
  op.group = node.attr<int64_t>("group", 1);
  check_kernel_shape(node, node.needed(weight)->type.shape);
  return op;
}

}  // namespace

std::vector<TensorType> ConvInteger::infer(const InferContext& in) const {
  check_byte(in.type(0), "x");
  check_byte(in.type(1), "w");
  const Shape y = conv_shape(float_conv(*this), in.shape(0), in.shape(1));
  check_parameter(in, 2, in.dtype(0), 1);
  check_parameter(in, 3, in.dtype(1), y.has_rank() ? y[1] : Dim::unknown());
  return {TensorType(DType::i32, y)};
}

void ConvInteger::reference(Inputs in, Outputs out) const {
  const Tensor sums = exact_sums(float_conv(*this), *in[0], optional_input(in, 2), *in[1], optional_input(in, 3), out[0].dims());
  const auto from = sums.data<double>();
  auto to = out[0].data<int32_t>();
  for (size_t i = 0; i < to.size(); ++i) to[i] = static_cast<int32_t>(static_cast<int64_t>(from[i]));  // wraps as i32 sums do
}

std::optional<OnnxForm> ConvInteger::to_onnx(const Node&) const { return conv_form(*this, "ConvInteger"); }

const std::span<const OnnxName> ConvInteger::kOnnx{kIntegerNames};

std::vector<Value*> ConvInteger::from_onnx(const OnnxNode& node) { return node.add_all(conv_op<ConvInteger>(node, 1), node.inputs); }

DEFINE_OP(ConvInteger)

std::vector<TensorType> QLinearConv::infer(const InferContext& in) const {
  check_byte(in.type(0), "x");
  check_byte(in.type(3), "w");
  check_byte(in.type(7), "y's zero point");
  for (const size_t scale : {1, 4, 6}) in.type(scale);  // raises when it is missing
  const Shape y = conv_shape(float_conv(*this), in.shape(0), in.shape(3));
  const Dim channels = y.has_rank() ? y[1] : Dim::unknown();
  check_parameter(in, 1, DType::f32, 1);
  check_parameter(in, 2, in.dtype(0), 1);
  check_parameter(in, 4, DType::f32, channels);
  check_parameter(in, 5, in.dtype(3), channels);
  check_parameter(in, 6, DType::f32, 1);
  check_parameter(in, 7, in.dtype(7), 1);
  if (in.has(8)) require(in.dtype(8) == DType::i32, ErrorKind::model, "the bias is ", info(in.dtype(8)).name, "; it must be i32");
  if (in.has(8) && in.shape(8).has_rank())
    require(in.shape(8).rank() == 1 && (!in.shape(8)[0].is_number() || !channels.is_number() || in.shape(8)[0] == channels), ErrorKind::model,
            "the bias has shape ", in.shape(8));
  return {TensorType(in.dtype(7), y)};
}

void QLinearConv::reference(Inputs in, Outputs out) const {
  if (out[0].elements() == 0) return;
  const Tensor sums = exact_sums(float_conv(*this), *in[0], in[2], *in[3], in[5], out[0].dims());
  const Tensor *w_scale = in[4], *bias = optional_input(in, 8);
  const int64_t channels = out[0].dims()[1], plane = out[0].elements() / out[0].dims()[0] / channels;
  const double zero = in[7]->at(0), lo = out[0].dtype() == DType::i8 ? -128 : 0, hi = lo + 255;
  for (int64_t i = 0; i < out[0].elements(); ++i) {
    const int64_t k = i / plane % channels;
    const double scale = in[1]->at(0) * w_scale->at(w_scale->elements() > 1 ? k : 0) / in[6]->at(0);
    const double v = std::nearbyint((sums.at(i) + (bias ? bias->at(k) : 0.0)) * scale) + zero;
    out[0].set_int(i, std::isnan(v) ? 0 : static_cast<int64_t>(std::clamp(v, lo, hi)));
  }
}

std::optional<OnnxForm> QLinearConv::to_onnx(const Node&) const { return conv_form(*this, "QLinearConv"); }

const std::span<const OnnxName> QLinearConv::kOnnx{kLinearNames};

std::vector<Value*> QLinearConv::from_onnx(const OnnxNode& node) { return node.add_all(conv_op<QLinearConv>(node, 3), node.inputs); }

DEFINE_OP(QLinearConv)

}  // namespace onecard
