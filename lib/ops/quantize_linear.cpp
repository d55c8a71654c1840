#include "lib/ops/quantize_linear.h"

#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/integer_range.h"
#include "lib/ops/operands.h"
#include "lib/ops/scale_index.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
DEFINE_OP(QuantizeLinear)
namespace {

constexpr OnnxName kNames[] = {{"", "QuantizeLinear", 10}, {"com.microsoft", "QuantizeLinear", 1}};

bool is_code(DType t) { return is_integer(t) || (is_float(t) && info(t).bits <= 8); }

// x / scale as ONNX divides: in the type of the operands, in double for integers.
double quotient(DType dtype, double x, double scale) {
  if (dtype == DType::f64 || is_integer(dtype)) return x / scale;
  return static_cast<double>(static_cast<float>(x) / static_cast<float>(scale));
}

void to_integers(const Tensor& x, const Tensor& scale, const Tensor* zero, const ScaleIndex& at, Tensor& y) {
  const IntegerRange range = integer_range(y.dtype());
  const auto scales = to_doubles(scale);
  const auto zeros = zero ? to_doubles(*zero) : std::vector<double>(scales.size(), 0.0);
  for (int64_t i = 0; i < x.elements(); ++i) {
    const auto s = static_cast<size_t>(at(i));
    y.set_int(i, range.saturate(std::nearbyint(quotient(x.dtype(), x.at(i), scales[s])) + zeros[s]));
  }
}

void to_small_floats(const Tensor& x, const Tensor& scale, const ScaleIndex& at, bool saturate, Tensor& y) {
  const auto scales = to_doubles(scale);
  const bool bytes = info(y.dtype()).bits == 8;
  for (int64_t i = 0; i < x.elements(); ++i) {
    const double v = quotient(x.dtype(), x.at(i), scales[static_cast<size_t>(at(i))]);
    if (bytes) y.raw()[i] = static_cast<std::byte>(float_to_small_float(y.dtype(), static_cast<float>(v), saturate));
    else y.set(i, v);
  }
}

}  // namespace

const std::span<const OnnxName> QuantizeLinear::kOnnx{kNames};

std::vector<TensorType> QuantizeLinear::infer(const InferContext& in) const {
  const TensorType &x = plain_tensor(in, 0), &scale = float_tensor(in, 1);
  require(is_arithmetic_float(x.dtype) || x.dtype == DType::i32, ErrorKind::model, "cannot quantize ", info(x.dtype).name);
  require(block_size >= 0, ErrorKind::model, "block_size is ", block_size);
  const DType dtype = in.has(2) ? plain_tensor(in, 2).dtype : output_dtype;
  require(is_code(dtype), ErrorKind::model, "cannot quantize to ", info(dtype).name);
  if (in.has(2) && in.shape(2).is_static() && scale.shape.is_static())
    require(in.shape(2).elements() == scale.shape.elements(), ErrorKind::model, "scale ", scale, " and zero point ", in.type(2), " differ in shape");
  if (x.shape.is_static() && scale.shape.is_static()) ScaleIndex(x.shape.numbers(), scale.shape.numbers(), axis, block_size);
  return {TensorType(dtype, x.shape)};
}

void QuantizeLinear::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const Tensor* zero = in.size() > 2 ? in[2] : nullptr;
  shape_output(out[0], zero ? zero->dtype() : output_dtype, x.dims());
  const ScaleIndex at(x.dims(), in[1]->dims(), axis, block_size);
  if (is_integer(out[0].dtype())) to_integers(x, *in[1], zero, at, out[0]);
  else to_small_floats(x, *in[1], at, saturate != 0, out[0]);
}

std::optional<OnnxForm> QuantizeLinear::to_onnx(const Node&) const {
  OnnxForm form{"QuantizeLinear", {{"axis", axis}, {"block_size", block_size}, {"saturate", saturate}}, {}};
  if (output_dtype != DType::u8) form.attributes["output_dtype"] = static_cast<int64_t>(output_dtype);
  return form;
}

std::vector<Value*> QuantizeLinear::from_onnx(const OnnxNode& node) {
  QuantizeLinear op;
  op.axis = node.attr<int64_t>("axis", 1);
  op.block_size = node.attr<int64_t>("block_size", 0);
  op.saturate = node.attr<int64_t>("saturate", 1);
  const auto code = node.attr<int64_t>("output_dtype", 0);
  require(dtype_is_known(code) || code == 0, ErrorKind::model, "output_dtype is ", code);
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  if (code != 0 && !node.input(2)) op.output_dtype = static_cast<DType>(code);
  if (node.input(2)) in.push_back(node.input(2));
  if (!is_arithmetic_float(in[1]->type.dtype)) {
    Cast cast;
    cast.to = in[0]->type.dtype == DType::f64 ? DType::f64 : DType::f32;
    in[1] = node.add_op(cast, {in[1]});
  }
  return {node.add_op(op, in)};
}

}  // namespace onecard
