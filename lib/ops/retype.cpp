#include "lib/ops/retype.h"

#include <cstring>

namespace onecard {

std::vector<TensorType> Retype::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  require(x.container == Container::tensor && x.quant, ErrorKind::model, "input 0 must be quantized: ", x.text());
  require(quant && quant->axis < 0 && quant->scale.size() == 1 && quant->zero_point.size() == 1 && quant->block == 0, ErrorKind::model, "one scale and one zero point are wanted");
  return {TensorType(x.dtype, x.shape, quant)};
}

void Retype::reference(Inputs in, Outputs out) const {
  if (in[0]->bytes() > 0) std::memcpy(out[0].raw(), in[0]->raw(), static_cast<size_t>(in[0]->bytes()));
}

DEFINE_OP(Retype)

}  // namespace onecard
