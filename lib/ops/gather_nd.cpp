#include "lib/ops/gather_nd.h"

#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> GatherND::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &indices = tensor_type(in, 1);
  require(is_integer(indices.dtype), ErrorKind::model, "indices must be integers, not ", info(indices.dtype).name);
  const auto quant = moved_quant(x);
  const TensorType unranked(x.dtype, Shape::unranked(), quant);
  if (!x.shape.has_rank() || !indices.shape.has_rank()) return {unranked};
  const int64_t q = indices.shape.rank(), r = x.shape.rank();
  require(q >= 1 && r >= 1 && batch_dims >= 0 && batch_dims < q && batch_dims < r, ErrorKind::model, "batch_dims ", batch_dims, " of ", x.shape,
          " and ", indices.shape);
  const auto depth = indices.shape[q - 1].maybe();
  if (!depth) return {unranked};
  require(*depth >= 1 && *depth <= r - batch_dims, ErrorKind::model, "tuples of ", *depth, " indices into ", x.shape);
  std::vector<Dim> dims(indices.shape.dims().begin(), indices.shape.dims().end() - 1);
  for (int64_t a = 0; a < batch_dims; ++a) dims[static_cast<size_t>(a)] = agreed(indices.shape[a], x.shape[a]);
  dims.insert(dims.end(), x.shape.dims().begin() + batch_dims + *depth, x.shape.dims().end());
  return {TensorType(x.dtype, Shape(dims), quant)};
}

void GatherND::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1];
  require(indices.rank() >= 1 && batch_dims >= 0 && batch_dims < indices.rank() && batch_dims < x.rank(), ErrorKind::model, "batch_dims ",
          batch_dims);
  const int64_t depth = indices.dims().back();
  require(depth >= 1 && depth <= x.rank() - batch_dims, ErrorKind::model, "tuples of ", depth, " indices into rank ", x.rank());
  for (int64_t a = 0; a < batch_dims; ++a)
    require(x.dims()[static_cast<size_t>(a)] == indices.dims()[static_cast<size_t>(a)], ErrorKind::model, "the batch axes differ");
  Dims dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), x.dims().begin() + batch_dims + depth, x.dims().end());
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  if (y.elements() == 0) return;
  const auto strides = row_major_strides(x.dims());
  const int64_t batches = extent_product(x.dims(), 0, batch_dims), tuples = indices.elements() / depth;
  const int64_t batch_stride = x.elements() / batches, run = extent_product(x.dims(), batch_dims + depth, x.rank());
  const ElementCopier copy(x, y);
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t from = t / (tuples / batches) * batch_stride;
    for (int64_t d = 0; d < depth; ++d) {
      const auto a = static_cast<size_t>(batch_dims + d);
      const int64_t index = indices.int_at(t * depth + d), extent = x.dims()[a];
      require(index >= -extent && index < extent, ErrorKind::model, "index ", index, " of an axis of ", extent);
      from += (index < 0 ? index + extent : index) * strides[a];
    }
    copy(from, t * run, run);
  }
}

std::optional<OnnxForm> GatherND::to_onnx(const Node&) const { return OnnxForm{"GatherND", {{"batch_dims", batch_dims}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "GatherND", 11}, {"com.microsoft", "GatherND", 1}};
}
const std::span<const OnnxName> GatherND::kOnnx{kNames};

std::vector<Value*> GatherND::from_onnx(const OnnxNode& node) {
  GatherND op;
  op.batch_dims = node.attr<int64_t>("batch_dims", 0);
  return {node.add_op(op, {node.needed(0), node.needed(1)})};
}

DEFINE_OP(GatherND)

}  // namespace onecard
