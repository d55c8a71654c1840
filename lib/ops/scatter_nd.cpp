#include "lib/ops/index_place.h"
#include "lib/ops/scatter_values.h"

namespace onecard {

std::vector<TensorType> ScatterND::infer(const InferContext& in) const {
  const TensorType y = scattered_type(in, reduction);
  const Shape &x = y.shape, &indices = in.shape(1), &updates = in.shape(2);
  if (indices.has_rank()) require(indices.rank() >= 1, ErrorKind::model, "indices must not be a scalar");
  if (!x.has_rank() || !indices.has_rank() || !indices[indices.rank() - 1].is_number()) return {y};
  const int64_t depth = indices[indices.rank() - 1].number();
  require(depth >= 0 && depth <= x.rank(), ErrorKind::model, "indices ", indices.text(), " into ", x.text());
  if (!updates.has_rank()) return {y};
  std::vector<Dim> wanted(indices.dims().begin(), indices.dims().end() - 1);
  wanted.insert(wanted.end(), x.dims().begin() + depth, x.dims().end());
  require(static_cast<int64_t>(wanted.size()) == updates.rank(), ErrorKind::model, "updates ", updates.text(), " for indices ", indices.text(), " into ", x.text());
  for (int64_t a = 0; a < updates.rank(); ++a) agreed(wanted[static_cast<size_t>(a)], updates[a]);
  return {y};
}

void ScatterND::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1], &updates = *in[2];
  require(indices.rank() >= 1 && indices.dims().back() <= x.rank(), ErrorKind::model, "indices ", indices.type().text(), " into ", x.type().text());
  const int64_t depth = indices.dims().back();
  Dims wanted(indices.dims().begin(), indices.dims().end() - 1);
  const int64_t count = element_count(wanted);
  wanted.insert(wanted.end(), x.dims().begin() + depth, x.dims().end());
  require(wanted == updates.dims(), ErrorKind::model, "updates ", updates.type().text(), " for indices ", indices.type().text(), " into ", x.type().text());
  Tensor& y = allocated(out[0], x.dtype(), x.dims(), x.type().quant);
  copy_all(x, y);
  if (updates.elements() == 0) return;
  const auto strides = row_major_strides(x.dims());
  const int64_t block = extent_product(x.dims(), depth, x.rank());
  const auto places = to_ints(indices);
  const ElementJoiner join(reduction, updates, y);
  for (int64_t n = 0; n < count; ++n) {
    int64_t at = 0;
    for (int64_t d = 0; d < depth; ++d) at += place_of(places[static_cast<size_t>(n * depth + d)], x.dims()[static_cast<size_t>(d)]) * strides[static_cast<size_t>(d)];
    join(n * block, at, block);
  }
}

std::optional<OnnxForm> ScatterND::to_onnx(const Node&) const { return OnnxForm{"ScatterND", {{"reduction", scatter_fn_name(reduction)}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "ScatterND", 11}};
}
const std::span<const OnnxName> ScatterND::kOnnx{kNames};

std::vector<Value*> ScatterND::from_onnx(const OnnxNode& node) {
  ScatterND op;
  op.reduction = scatter_fn(node);
  return {node.add_op(op, {node.needed(0), node.needed(1), node.needed(2)})};
}

DEFINE_OP(ScatterND)

}  // namespace onecard
