#include "lib/ops/reinterpret.h"

#include "lib/ops/movement.h"
#include "lib/ops/quantize.h"

namespace onecard {
DEFINE_OP(Reinterpret)

std::vector<TensorType> Reinterpret::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(is_integer(x.dtype), ErrorKind::model, "reads the integers of ", x);
  if (quant) require_quantization(x, x.dtype, *quant);
  return {TensorType(x.dtype, x.shape, quant)};
}

void Reinterpret::reference(Inputs in, Outputs out) const {
  if (quant) require_quantization(in[0]->type(), in[0]->dtype(), *quant);
  copy_all(*in[0], allocated(out[0], in[0]->dtype(), in[0]->dims(), quant));
}

// A quantized value is written as its integers.
std::optional<OnnxForm> Reinterpret::to_onnx(const Node&) const { return OnnxForm{"Identity", {}, {}}; }

}  // namespace onecard
