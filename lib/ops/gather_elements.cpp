#include "lib/ops/gather_elements.h"

#include "lib/ops/broadcast_index.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> GatherElements::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &indices = tensor_type(in, 1);
  require(is_integer(indices.dtype), ErrorKind::model, "indices must be integers, not ", info(indices.dtype).name);
  if (x.shape.has_rank()) {
    checked_axis(axis, x.shape.rank());
    require(!indices.shape.has_rank() || indices.shape.rank() == x.shape.rank(), ErrorKind::model, "indices ", indices.shape, " of ", x.shape);
  }
  const Shape shape = indices.shape.has_rank() || !x.shape.has_rank() ? indices.shape : Shape::unknown(x.shape.rank());
  return {TensorType(x.dtype, shape, moved_quant(x))};
}

void GatherElements::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1];
  const auto along = static_cast<size_t>(checked_axis(axis, x.rank()));
  require(indices.rank() == x.rank(), ErrorKind::model, "indices of rank ", indices.rank(), " for rank ", x.rank());
  auto strides = row_major_strides(x.dims());
  for (size_t a = 0; a < x.dims().size(); ++a)
    require(a == along || indices.dims()[a] <= x.dims()[a], ErrorKind::model, "indices reach over axis ", a, ": ", indices.dims()[a], " of ",
            x.dims()[a]);
  const int64_t extent = x.dims()[along], stride = strides[along];
  strides[along] = 0;
  Tensor& y = allocated(out[0], x.dtype(), indices.dims(), x.type().quant);
  const ElementCopier copy(x, y);
  const std::array<std::vector<int64_t>, 1> steps{strides};
  walk(indices.dims(), steps, 0, indices.elements(), [&](int64_t i, const auto& from) {
    const int64_t index = indices.int_at(i);
    require(index >= -extent && index < extent, ErrorKind::model, "index ", index, " of an axis of ", extent);
    copy(from[0] + (index < 0 ? index + extent : index) * stride, i);
  });
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
