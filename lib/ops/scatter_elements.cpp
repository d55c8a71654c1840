#include "lib/ops/broadcast_index.h"
#include "lib/ops/index_place.h"
#include "lib/ops/scatter_values.h"

namespace onecard {

std::vector<TensorType> ScatterElements::infer(const InferContext& in) const {
  const TensorType y = scattered_type(in, reduction);
  const Shape &x = y.shape, &indices = in.shape(1), &updates = in.shape(2);
  if (x.has_rank()) checked_axis(axis, x.rank());
  if (x.has_rank() && indices.has_rank()) require(x.rank() == indices.rank(), ErrorKind::model, "indices ", indices.text(), " into ", x.text());
  if (indices.has_rank() && updates.has_rank()) {
    require(indices.rank() == updates.rank(), ErrorKind::model, "updates ", updates.text(), " for indices ", indices.text());
    for (int64_t a = 0; a < indices.rank(); ++a) agreed(indices[a], updates[a]);
  }
  return {y};
}

void ScatterElements::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1], &updates = *in[2];
  require(x.rank() == indices.rank() && indices.dims() == updates.dims(), ErrorKind::model, "indices ", indices.type().text(), " and updates ", updates.type().text(), " into ",
          x.type().text());
  const auto along = static_cast<size_t>(checked_axis(axis, x.rank()));
  for (size_t a = 0; a < x.dims().size(); ++a)
    require(a == along || indices.dims()[a] <= x.dims()[a], ErrorKind::model, "indices ", indices.type().text(), " into ", x.type().text());
  Tensor& y = allocated(out[0], x.dtype(), x.dims(), x.type().quant);
  copy_all(x, y);
  std::array<std::vector<int64_t>, 1> strides{row_major_strides(x.dims())};
  const int64_t step = strides[0][along], extent = x.dims()[along];
  strides[0][along] = 0;
  const auto places = to_ints(indices);
  const ElementJoiner join(reduction, updates, y);
  walk(indices.dims(), strides, 0, indices.elements(), [&](int64_t i, const auto& at) { join(i, at[0] + place_of(places[static_cast<size_t>(i)], extent) * step); });
}

std::optional<OnnxForm> ScatterElements::to_onnx(const Node&) const { return OnnxForm{"ScatterElements", {{"axis", axis}, {"reduction", scatter_fn_name(reduction)}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "ScatterElements", 11}, {"", "Scatter", 9}};
}
const std::span<const OnnxName> ScatterElements::kOnnx{kNames};

std::vector<Value*> ScatterElements::from_onnx(const OnnxNode& node) {
  ScatterElements op;
  op.axis = node.attr<int64_t>("axis", 0);
  op.reduction = scatter_fn(node);
  return {node.add_op(op, {node.needed(0), node.needed(1), node.needed(2)})};
}

DEFINE_OP(ScatterElements)

}  // namespace onecard
