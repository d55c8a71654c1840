#include "lib/ops/lookup.h"

#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/reinterpret.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
DEFINE_OP(Lookup)

std::vector<TensorType> Lookup::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &table = tensor_type(in, 1);
  require(x.dtype == DType::i8 || x.dtype == DType::u8, ErrorKind::model, "looks up 8-bit integers, not ", x);
  require(!x.quant || x.quant->axis < 0, ErrorKind::model, "one table for a value quantized per axis (", x, ")");
  require(table.shape == Shape{256}, ErrorKind::model, "a table has 256 entries, not ", table);
  return {TensorType(table.dtype, x.shape, moved_quant(table))};
}

void Lookup::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &table = *in[1];
  Tensor& y = allocated(out[0], table.dtype(), x.dims(), table.type().quant);
  const ElementCopier copy(table, y);
  for (int64_t i = 0; i < x.elements(); ++i) copy(static_cast<int64_t>(x.raw()[i]), i);
}

// Gather counts negative indices from the end, as bytes do.
std::vector<Value*> Lookup::decompose(Graph& graph, Node& node) const {
  const NodesBefore before(graph, node);
  Cast wide;
  wide.to = DType::i32;
  Value* codes = node.inputs[0]->type.quant ? before.add(Reinterpret(), {node.inputs[0]}) : node.inputs[0];
  Gather gather;
  gather.axis = 0;
  return {before.add(gather, {node.inputs[1], before.add(wide, {codes})})};
}

}  // namespace onecard
