#include "lib/ops/compress.h"

#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> Compress::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &condition = tensor_type(in, 1);
  require(condition.dtype == DType::boolean && (!condition.shape.has_rank() || condition.shape.rank() == 1), ErrorKind::model, "the condition is ",
          condition, ", not a list of booleans");
  const auto quant = moved_quant(x);
  if (axis == kFlat) return {TensorType(x.dtype, Shape::unknown(1), quant)};
  Shape shape = x.shape;
  if (shape.has_rank()) shape[checked_axis(axis, shape.rank())] = Dim::unknown();
  return {TensorType(x.dtype, shape, quant)};
}

void Compress::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &condition = *in[1];
  const AxisView view = axis == kFlat ? AxisView{1, x.elements(), 1} : axis_view(x.dims(), axis);
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < condition.elements(); ++i)
    if (condition.int_at(i)) kept.push_back(i);
  require(kept.empty() || kept.back() < view.extent, ErrorKind::model, "the condition holds for index ", kept.empty() ? 0 : kept.back(), " of ",
          view.extent);
  const auto count = static_cast<int64_t>(kept.size());
  Dims dims = x.dims();
  if (axis == kFlat) dims = {count};
  else dims[static_cast<size_t>(checked_axis(axis, x.rank()))] = count;
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  const ElementCopier copy(x, y);
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t i = 0; i < count; ++i) copy((o * view.extent + kept[static_cast<size_t>(i)]) * view.inner, (o * count + i) * view.inner, view.inner);
}

std::optional<OnnxForm> Compress::to_onnx(const Node&) const {
  OnnxForm form{"Compress", {}, ""};
  if (axis != kFlat) form.attributes["axis"] = axis;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "Compress", 9}};
}
const std::span<const OnnxName> Compress::kOnnx{kNames};

std::vector<Value*> Compress::from_onnx(const OnnxNode& node) {
  Compress op;
  op.axis = node.attr<int64_t>("axis", kFlat);
  return {node.add_op(op, {node.needed(0), node.needed(1)})};
}

DEFINE_OP(Compress)

}  // namespace onecard
