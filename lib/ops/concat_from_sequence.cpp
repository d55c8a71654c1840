#include "lib/ops/concat_from_sequence.h"

#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> ConcatFromSequence::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  require(x.container == Container::sequence, ErrorKind::model, "expects a sequence, got ", x);
  const auto quant = moved_quant(x);
  if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  const bool adds = joining == Joining::new_axis;
  const int64_t along = checked_axis(axis, x.shape.rank() + (adds ? 1 : 0));
  std::vector<Dim> dims = x.shape.dims();
  if (adds) dims.insert(dims.begin() + along, Dim::unknown());
  else dims[static_cast<size_t>(along)] = Dim::unknown();
  return {TensorType(x.dtype, Shape(dims), quant)};
}

void ConcatFromSequence::reference(Inputs in, Outputs out) const {
  const auto& items = in[0]->items();
  require(!items.empty(), ErrorKind::model, "joins an empty sequence");
  std::vector<Tensor> lined_up;
  std::vector<const Tensor*> parts;
  Concat concat;
  concat.axis = axis;
  if (joining == Joining::new_axis) concat.axis = checked_axis(axis, items[0].rank() + 1);
  for (const Tensor& item : items) {
    require(item.dtype() == items[0].dtype() && item.rank() == items[0].rank(), ErrorKind::model, "joins ", items[0].type(), " and ", item.type());
    if (joining == Joining::along_axis) {
      parts.push_back(&item);
      continue;
    }
    Dims dims = item.dims();
    dims.insert(dims.begin() + concat.axis, 1);
    lined_up.push_back(item.alias(TensorType(item.dtype(), Shape::of(dims), item.type().quant)));
  }
  for (const Tensor& t : lined_up) parts.push_back(&t);
  concat.reference(parts, out);
}

std::optional<OnnxForm> ConcatFromSequence::to_onnx(const Node&) const {
  return OnnxForm{"ConcatFromSequence", {{"axis", axis}, {"new_axis", int64_t{joining == Joining::new_axis}}}, ""};
}

namespace {
constexpr OnnxName kNames[] = {{"", "ConcatFromSequence", 11}};
}
const std::span<const OnnxName> ConcatFromSequence::kOnnx{kNames};

std::vector<Value*> ConcatFromSequence::from_onnx(const OnnxNode& node) {
  ConcatFromSequence op;
  op.axis = node.needed_attr<int64_t>("axis");
  op.joining = node.attr<int64_t>("new_axis", 0) != 0 ? Joining::new_axis : Joining::along_axis;
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(ConcatFromSequence)

}  // namespace onecard
