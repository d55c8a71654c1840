#include "lib/ops/operands.h"
#include "lib/ops/quantize_linear.h"
#include "lib/ops/scale_index.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
DEFINE_OP(DequantizeLinear)
namespace {

constexpr OnnxName kNames[] = {{"", "DequantizeLinear", 10}, {"com.microsoft", "DequantizeLinear", 1}};

}  // namespace

const std::span<const OnnxName> DequantizeLinear::kOnnx{kNames};

std::vector<TensorType> DequantizeLinear::infer(const InferContext& in) const {
  const TensorType &x = plain_tensor(in, 0), &scale = float_tensor(in, 1);
  const bool codes = is_integer(x.dtype) || (is_float(x.dtype) && info(x.dtype).bits <= 8);
  require(codes && info(x.dtype).bits <= 32, ErrorKind::model, "cannot dequantize ", info(x.dtype).name);
  require(block_size >= 0, ErrorKind::model, "block_size is ", block_size);
  if (in.has(2)) {
    require(plain_tensor(in, 2).dtype == x.dtype, ErrorKind::model, "the zero point is ", info(in.dtype(2)).name, "; it must be ",
            info(x.dtype).name);
    if (in.shape(2).is_static() && scale.shape.is_static())
      require(in.shape(2).elements() == scale.shape.elements(), ErrorKind::model, "scale ", scale, " and zero point ", in.type(2),
              " differ in shape");
  }
  if (x.shape.is_static() && scale.shape.is_static()) ScaleIndex(x.shape.numbers(), scale.shape.numbers(), axis, block_size);
  return {TensorType(scale.dtype, x.shape)};
}

void DequantizeLinear::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const Tensor* zero = in.size() > 2 ? in[2] : nullptr;
  shape_output(out[0], in[1]->dtype(), x.dims());
  const ScaleIndex at(x.dims(), in[1]->dims(), axis, block_size);
  const auto scales = to_doubles(*in[1]);
  const auto zeros = zero ? to_doubles(*zero) : std::vector<double>(scales.size(), 0.0);
  visit_float(out[0].dtype(), [&]<class T>(TypeTag<T>) {
    const auto to = out[0].data<T>();
    for (size_t i = 0; i < to.size(); ++i) {
      const auto s = static_cast<size_t>(at(static_cast<int64_t>(i)));
      to[i] = narrow<T>((x.at(static_cast<int64_t>(i)) - zeros[s]) * scales[s]);
    }
  });
}

std::optional<OnnxForm> DequantizeLinear::to_onnx(const Node&) const {
  return OnnxForm{"DequantizeLinear", {{"axis", axis}, {"block_size", block_size}}, {}};
}

std::vector<Value*> DequantizeLinear::from_onnx(const OnnxNode& node) {
  DequantizeLinear op;
  op.axis = node.attr<int64_t>("axis", 1);
  op.block_size = node.attr<int64_t>("block_size", 0);
  const auto code = node.attr<int64_t>("output_dtype", 0);
  require(dtype_is_known(code) || code == 0, ErrorKind::model, "output_dtype is ", code);
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  const DType wanted = code != 0 ? static_cast<DType>(code) : is_arithmetic_float(in[1]->type.dtype) ? in[1]->type.dtype : DType::f32;
  if (wanted != in[1]->type.dtype) {
    Cast cast;
    cast.to = wanted;
    in[1] = node.add_op(cast, {in[1]});
  }
  if (node.input(2)) in.push_back(node.input(2));
  return {node.add_op(op, in)};
}

}  // namespace onecard
