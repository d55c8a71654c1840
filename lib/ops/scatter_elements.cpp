#include "lib/ops/scatter_elements.h"

#include "lib/ops/broadcast_index.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> ScatterElements::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &indices = tensor_type(in, 1), &updates = tensor_type(in, 2);
  require(is_integer(indices.dtype), ErrorKind::model, "indices must be integers, not ", info(indices.dtype).name);
  require(x.dtype == updates.dtype, ErrorKind::model, "writes ", info(updates.dtype).name, " into ", info(x.dtype).name);
  const auto quant = shared_quant(x, updates);
  require(!quant || reduction == ScatterReduction::none, ErrorKind::model, "combines quantized values");
  if (x.shape.has_rank()) checked_axis(axis, x.shape.rank());
  for (const TensorType* t : {&indices, &updates})
    require(!x.shape.has_rank() || !t->shape.has_rank() || t->shape.rank() == x.shape.rank(), ErrorKind::model, "places ", t->shape, " in ", x.shape);
  return {TensorType(x.dtype, x.shape, quant)};
}

void ScatterElements::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1], &updates = *in[2];
  const auto along = static_cast<size_t>(checked_axis(axis, x.rank()));
  require(indices.dims() == updates.dims() && indices.rank() == x.rank(), ErrorKind::model, "indices and updates differ in extents");
  auto strides = row_major_strides(x.dims());
  for (size_t a = 0; a < x.dims().size(); ++a)
    require(a == along || indices.dims()[a] <= x.dims()[a], ErrorKind::model, "indices reach over axis ", a, ": ", indices.dims()[a], " of ",
            x.dims()[a]);
  const int64_t extent = x.dims()[along], stride = strides[along];
  strides[along] = 0;
  Tensor& y = allocated(out[0], x.dtype(), x.dims(), x.type().quant);
  copy_all(x, y);
  const std::array<std::vector<int64_t>, 1> steps{strides};
  walk(indices.dims(), steps, 0, indices.elements(), [&](int64_t i, const auto& at) {
    const int64_t index = indices.int_at(i);
    require(index >= -extent && index < extent, ErrorKind::model, "index ", index, " of an axis of ", extent);
    scatter_run(updates, i, y, at[0] + (index < 0 ? index + extent : index) * stride, 1, reduction);
  });
}

std::optional<OnnxForm> ScatterElements::to_onnx(const Node&) const {
  return OnnxForm{"ScatterElements", {{"axis", axis}, {"reduction", std::string(kScatterReductionNames[static_cast<size_t>(reduction)])}}, ""};
}

namespace {
constexpr OnnxName kNames[] = {{"", "ScatterElements", 11}, {"", "Scatter", 9}};
}
const std::span<const OnnxName> ScatterElements::kOnnx{kNames};

std::vector<Value*> ScatterElements::from_onnx(const OnnxNode& node) {
  ScatterElements op;
  op.axis = node.attr<int64_t>("axis", 0);
  op.reduction = scatter_reduction(node);
  return {node.add_op(op, {node.needed(0), node.needed(1), node.needed(2)})};
}

DEFINE_OP(ScatterElements)

}  // namespace onecard
