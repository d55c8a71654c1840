#include "lib/ops/bit_cast.h"

#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> BitCast::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(!x.quant && info(x.dtype).bits == info(to).bits && info(to).bits > 0, ErrorKind::model, "reads the bits of ", x, " as ", info(to).name);
  return {TensorType(to, x.shape)};
}

void BitCast::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  Tensor& y = allocated(out[0], to, x.dims());
  copy_all(x.alias(y.type()), y);
}

std::optional<OnnxForm> BitCast::to_onnx(const Node&) const { return OnnxForm{"BitCast", {{"to", static_cast<int64_t>(to)}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "BitCast", 26}};
}
const std::span<const OnnxName> BitCast::kOnnx{kNames};

std::vector<Value*> BitCast::from_onnx(const OnnxNode& node) {
  const auto code = node.needed_attr<int64_t>("to");
  require(dtype_is_known(code), ErrorKind::model, "attribute 'to' is ", code);
  BitCast op;
  op.to = static_cast<DType>(code);
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(BitCast)

}  // namespace onecard
