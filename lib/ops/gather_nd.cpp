#include "lib/ops/index_ops.h"
#include "lib/ops/index_place.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> GatherND::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &indices = tensor_type(in, 1);
  require(is_integer(indices.dtype), ErrorKind::model, "indices must be integers, not ", info(indices.dtype).name);
  const auto quant = moved_quant(x);
  const Shape &from = x.shape, &at = indices.shape;
  if (at.has_rank()) require(at.rank() >= 1 && batch_dims >= 0 && batch_dims < at.rank(), ErrorKind::model, "batch_dims ", batch_dims, " with indices ", at.text());
  if (!from.has_rank() || !at.has_rank() || !at[at.rank() - 1].is_number()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  const int64_t depth = at[at.rank() - 1].number();
  require(depth >= 0 && batch_dims < from.rank() + (depth == 0) && depth <= from.rank() - batch_dims, ErrorKind::model, "indices ", at.text(), " into ", from.text());
  std::vector<Dim> dims(at.dims().begin(), at.dims().end() - 1);
  for (int64_t a = 0; a < batch_dims; ++a) dims[static_cast<size_t>(a)] = agreed(from[a], at[a]);
  dims.insert(dims.end(), from.dims().begin() + batch_dims + depth, from.dims().end());
  return {TensorType(x.dtype, Shape(std::move(dims)), quant)};
}

void GatherND::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1];
  require(indices.rank() >= 1 && batch_dims >= 0 && batch_dims < indices.rank() && batch_dims <= x.rank(), ErrorKind::model, "batch_dims ", batch_dims, " with indices ",
          indices.type().text());
  const int64_t depth = indices.dims().back();
  require(depth <= x.rank() - batch_dims, ErrorKind::model, "indices ", indices.type().text(), " into ", x.type().text());
  for (size_t a = 0; a < static_cast<size_t>(batch_dims); ++a)
    require(x.dims()[a] == indices.dims()[a], ErrorKind::model, "indices ", indices.type().text(), " into ", x.type().text(), " in ", batch_dims, " batch axes");
  Dims dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), x.dims().begin() + batch_dims + depth, x.dims().end());
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  if (y.elements() == 0) return;
  const int64_t batches = extent_product(indices.dims(), 0, batch_dims), picks = extent_product(indices.dims(), batch_dims, indices.rank() - 1);
  const int64_t block = extent_product(x.dims(), batch_dims + depth, x.rank()), batch = extent_product(x.dims(), batch_dims, x.rank());
  const auto strides = row_major_strides(x.dims());
  const auto places = to_ints(indices);
  const ElementCopier copy(x, y);
  for (int64_t n = 0; n < batches * picks; ++n) {
    int64_t from = n / picks * batch;
    for (int64_t d = 0; d < depth; ++d) {
      const auto a = static_cast<size_t>(batch_dims + d);
      from += place_of(places[static_cast<size_t>(n * depth + d)], x.dims()[a]) * strides[a];
    }
    copy(from, n * block, block);
  }
}

std::optional<OnnxForm> GatherND::to_onnx(const Node&) const { return OnnxForm{"GatherND", {{"batch_dims", batch_dims}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "GatherND", 11}};
}
const std::span<const OnnxName> GatherND::kOnnx{kNames};

std::vector<Value*> GatherND::from_onnx(const OnnxNode& node) {
  GatherND op;
  op.batch_dims = node.attr<int64_t>("batch_dims", 0);
  return {node.add_op(op, {node.needed(0), node.needed(1)})};
}

DEFINE_OP(GatherND)

}  // namespace onecard
