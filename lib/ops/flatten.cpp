#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

// Where the two halves of a flattened shape meet; the rank itself is allowed.
int64_t cut(int64_t axis, int64_t rank) {
  require(axis >= -rank && axis <= rank, ErrorKind::model, "axis ", axis, " of a tensor of rank ", rank);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace

std::vector<TensorType> Flatten::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unknown(2), moved_quant(x))};
  const int64_t at = cut(axis, x.shape.rank());
  Dim before = 1, after = 1;
  for (int64_t i = 0; i < x.shape.rank(); ++i) (i < at ? before : after) = (i < at ? before : after) * x.shape[i];
  const bool keeps_axis = x.quant && x.quant->axis == 0 && at == 1;
  return {TensorType(x.dtype, Shape{before, after}, keeps_axis ? x.quant : moved_quant(x))};
}

void Flatten::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const int64_t at = cut(axis, x.rank());
  copy_all(x, allocated(out[0], x.dtype(), {extent_product(x.dims(), 0, at), extent_product(x.dims(), at, x.rank())}, x.type().quant));
}

std::optional<OnnxForm> Flatten::to_onnx(const Node&) const { return OnnxForm{"Flatten", {{"axis", axis}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Flatten", 1}};
}
const std::span<const OnnxName> Flatten::kOnnx{kNames};

std::vector<Value*> Flatten::from_onnx(const OnnxNode& node) {
  Flatten op;
  op.axis = node.attr<int64_t>("axis", 1);
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(Flatten)

}  // namespace onecard
