#include "lib/ops/broadcast_index.h"
#include "lib/ops/index_ops.h"
#include "lib/ops/index_place.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> GatherElements::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &indices = tensor_type(in, 1);
  require(is_integer(indices.dtype), ErrorKind::model, "indices must be integers, not ", info(indices.dtype).name);
  const auto quant = moved_quant(x);
  if (x.shape.has_rank()) checked_axis(axis, x.shape.rank());
  if (x.shape.has_rank() && indices.shape.has_rank())
    require(x.shape.rank() == indices.shape.rank(), ErrorKind::model, "indices ", indices.shape.text(), " into ", x.shape.text());
  return {TensorType(x.dtype, indices.shape, quant)};
}

void GatherElements::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1];
  require(x.rank() == indices.rank(), ErrorKind::model, "indices ", indices.type().text(), " into ", x.type().text());
  const auto along = static_cast<size_t>(checked_axis(axis, x.rank()));
  Tensor& y = allocated(out[0], x.dtype(), indices.dims(), x.type().quant);
  if (y.elements() == 0) return;
  std::array<std::vector<int64_t>, 1> strides{row_major_strides(x.dims())};
  const int64_t step = strides[0][along], extent = x.dims()[along];
  strides[0][along] = 0;
  for (size_t a = 0; a < along; ++a) require(indices.dims()[a] <= x.dims()[a], ErrorKind::model, "indices ", indices.type().text(), " into ", x.type().text());
  for (size_t a = along + 1; a < x.dims().size(); ++a)
    require(indices.dims()[a] <= x.dims()[a], ErrorKind::model, "indices ", indices.type().text(), " into ", x.type().text());
  const auto places = to_ints(indices);
  const ElementCopier copy(x, y);
  walk(y.dims(), strides, 0, y.elements(), [&](int64_t i, const auto& at) { copy(at[0] + place_of(places[static_cast<size_t>(i)], extent) * step, i); });
}

std::optional<OnnxForm> GatherElements::to_onnx(const Node&) const { return OnnxForm{"GatherElements", {{"axis", axis}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "GatherElements", 11}};
}
const std::span<const OnnxName> GatherElements::kOnnx{kNames};

std::vector<Value*> GatherElements::from_onnx(const OnnxNode& node) {
  GatherElements op;
  op.axis = node.attr<int64_t>("axis", 0);
  return {node.add_op(op, {node.needed(0), node.needed(1)})};
}

DEFINE_OP(GatherElements)

}  // namespace onecard
