#include "lib/ops/gather_dequantized.h"

#include "lib/ops/data_ops.h"
#include "lib/ops/operands.h"
#include "lib/ops/quantize.h"

namespace onecard {
DEFINE_OP(GatherDequantized)
namespace {

Dequantize dequantize_to(DType dtype) {
  Dequantize op;
  op.dtype = dtype;
  return op;
}

Gather gather_along(int64_t axis) {
  Gather op;
  op.axis = axis;
  return op;
}

}  // namespace

std::vector<TensorType> GatherDequantized::infer(const InferContext& in) const {
  const InputInfo real{dequantize_to(dtype).infer(in)[0], nullptr, std::nullopt};
  const InputInfo infos[] = {real, {in.type(1), nullptr, std::nullopt}};
  return gather_along(axis).infer(InferContext(infos));
}

void GatherDequantized::reference(Inputs in, Outputs out) const {
  Tensor real[] = {Tensor(dtype, in[0]->dims())};
  dequantize_to(dtype).reference(in.first(1), real);
  const Tensor* operands[] = {real, in[1]};
  gather_along(axis).reference(operands, out);
}

std::vector<Value*> GatherDequantized::decompose(Graph& graph, Node& node) const {
  const NodesBefore before(graph, node);
  return {before.add(gather_along(axis), {before.add(dequantize_to(dtype), {node.input(0)}), node.input(1)})};
}

}  // namespace onecard
