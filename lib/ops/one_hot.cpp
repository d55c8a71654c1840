#include "lib/ops/one_hot.h"

#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> OneHot::infer(const InferContext& in) const {
  const TensorType &indices = tensor_type(in, 0), &values = tensor_type(in, 2);
  require(info(indices.dtype).kind != DKind::string && info(indices.dtype).kind != DKind::complex && !indices.quant, ErrorKind::model, "indices must be numbers");
  tensor_type(in, 1);
  Dim depth = Dim::unknown();
  if (const auto given = in.contents(1)) {
    require(given->size() == 1, ErrorKind::model, "depth must be one number");
    depth = checked_extent(given->front());
  } else if (const auto constant = in.constant(1)) {
    require(constant->elements() == 1 && constant->dtype() != DType::string, ErrorKind::model, "depth must be one number");
    depth = checked_extent(constant->int_at(0));
  }
  if (!indices.shape.has_rank()) return {TensorType(values.dtype, Shape::unranked(), moved_quant(values))};
  std::vector<Dim> dims = indices.shape.dims();
  dims.insert(dims.begin() + checked_axis(axis, indices.shape.rank() + 1), depth);
  return {TensorType(values.dtype, Shape(dims), moved_quant(values))};
}

void OneHot::reference(Inputs in, Outputs out) const {
  const Tensor &indices = *in[0], &values = *in[2];
  require(in[1]->elements() == 1 && values.elements() == 2, ErrorKind::model, "depth must be one number, values two");
  const int64_t depth = in[1]->int_at(0), along = checked_axis(axis, indices.rank() + 1);
  require(depth >= 0, ErrorKind::model, "a depth of ", depth);
  Dims dims = indices.dims();
  dims.insert(dims.begin() + along, depth);
  Tensor& y = allocated(out[0], values.dtype(), dims, values.type().quant);
  fill_elements(y, 0, y.elements(), &values, 0);
  const AxisView view = axis_view(dims, along);
  const ElementCopier copy(values, y);
  for (int64_t i = 0; i < indices.elements(); ++i) {
    const int64_t index = indices.int_at(i);
    if (index < -depth || index >= depth) continue;
    copy(1, (i / view.inner * depth + (index < 0 ? index + depth : index)) * view.inner + i % view.inner);
  }
}

std::optional<OnnxForm> OneHot::to_onnx(const Node&) const { return OnnxForm{"OneHot", {{"axis", axis}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "OneHot", 9}};
}
const std::span<const OnnxName> OneHot::kOnnx{kNames};

std::vector<Value*> OneHot::from_onnx(const OnnxNode& node) {
  OneHot op;
  op.axis = node.attr<int64_t>("axis", -1);
  return {node.add_op(op, {node.needed(0), node.needed(1), node.needed(2)})};
}

DEFINE_OP(OneHot)

}  // namespace onecard
