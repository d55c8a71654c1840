#include "lib/ops/generate_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

// Where the new axis goes in a shape that has one axis less.
int64_t new_axis(int64_t axis, int64_t rank) { return checked_axis(axis, rank + 1); }

}  // namespace

std::vector<TensorType> OneHot::infer(const InferContext& in) const {
  const TensorType &indices = tensor_type(in, 0), &depth = tensor_type(in, 1), &values = tensor_type(in, 2);
  require(indices.dtype != DType::string && depth.dtype != DType::string, ErrorKind::model, "indices and depth must be numbers");
  const auto quant = moved_quant(values);
  if (!indices.shape.has_rank()) return {TensorType(values.dtype, Shape::unranked(), quant)};
  Dim extent = Dim::unknown();
  if (const ConstTensor given = in.constant(1)) {
    require(given->elements() == 1, ErrorKind::model, "depth is ", given->type().text());
    extent = checked_extent(given->int_at(0));
  } else if (const auto contents = in.contents(1); contents && contents->size() == 1) {
    extent = checked_extent(contents->front());
  }
  std::vector<Dim> dims = indices.shape.dims();
  dims.insert(dims.begin() + new_axis(axis, indices.shape.rank()), extent);
  return {TensorType(values.dtype, Shape(std::move(dims)), quant)};
}

void OneHot::reference(Inputs in, Outputs out) const {
  const Tensor &indices = *in[0], &values = *in[2];
  require(in[1]->elements() == 1 && values.elements() == 2, ErrorKind::model, "depth is ", in[1]->type().text(), ", the values are ", values.type().text());
  const int64_t depth = in[1]->int_at(0), along = new_axis(axis, indices.rank());
  require(depth >= 0, ErrorKind::model, "depth is ", depth);
  Dims dims = indices.dims();
  dims.insert(dims.begin() + along, depth);
  Tensor& y = allocated(out[0], values.dtype(), dims, values.type().quant);
  const int64_t inner = extent_product(dims, along + 1, static_cast<int64_t>(dims.size()));
  fill_elements(y, 0, y.elements(), &values, 0);
  const ElementCopier copy(values, y);
  for (int64_t i = 0; i < indices.elements(); ++i) {
    const int64_t index = indices.int_at(i);
    if (index < -depth || index >= depth) continue;
    copy(1, (i / inner * depth + (index < 0 ? index + depth : index)) * inner + i % inner);
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
