#include "lib/ops/tensor_scatter.h"

#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"

namespace onecard {

std::vector<TensorType> TensorScatter::infer(const InferContext& in) const {
  const TensorType &cache = tensor_type(in, 0), &update = tensor_type(in, 1);
  require(cache.dtype == update.dtype, ErrorKind::model, "writes ", info(update.dtype).name, " into ", info(cache.dtype).name);
  if (cache.shape.has_rank()) require(checked_axis(axis, cache.shape.rank()) > 0, ErrorKind::model, "writes along the batch axis");
  return {TensorType(cache.dtype, cache.shape, shared_quant(cache, update))};
}

void TensorScatter::reference(Inputs in, Outputs out) const {
  const Tensor &cache = *in[0], &update = *in[1];
  const Tensor* starts = in.size() > 2 ? in[2] : nullptr;
  const int64_t along = checked_axis(axis, cache.rank());
  require(along > 0 && update.rank() == cache.rank(), ErrorKind::model, "an update of rank ", update.rank(), " for a cache of rank ", cache.rank());
  for (size_t a = 0; a < cache.dims().size(); ++a)
    require(static_cast<int64_t>(a) == along || update.dims()[a] == cache.dims()[a], ErrorKind::model, "cache and update differ along axis ", a);
  const AxisView to = axis_view(cache.dims(), along), from = axis_view(update.dims(), along);
  const int64_t batch = cache.dims()[0];
  require(!starts || starts->elements() == batch, ErrorKind::model, "write_indices does not have one entry per batch");
  require(from.extent <= to.extent, ErrorKind::model, "an update of ", from.extent, " steps for a cache of ", to.extent);
  Tensor& y = allocated(out[0], cache.dtype(), cache.dims(), cache.type().quant);
  copy_all(cache, y);
  if (update.elements() == 0) return;
  const ElementCopier copy(update, y);
  for (int64_t o = 0; o < to.outer; ++o) {
    const int64_t start = starts ? starts->int_at(o / (to.outer / batch)) : 0;
    const bool fits = start >= 0 && (mode == CacheWrite::circular ? start < INT64_MAX - from.extent : start <= to.extent - from.extent);
    require(fits, ErrorKind::model, "writes ", from.extent, " steps from ", start, " on into a cache of ", to.extent);
    for (int64_t s = 0; s < from.extent; ++s) copy((o * from.extent + s) * from.inner, (o * to.extent + (start + s) % to.extent) * to.inner, to.inner);
  }
}

namespace {
constexpr OnnxName kNames[] = {{"", "TensorScatter", 24}};
}
const std::span<const OnnxName> TensorScatter::kOnnx{kNames};

std::vector<Value*> TensorScatter::from_onnx(const OnnxNode& node) {
  TensorScatter op;
  op.axis = node.attr<int64_t>("axis", -2);
  op.mode = onnx_enum<CacheWrite>(node, "mode", "linear", {{"linear", CacheWrite::linear}, {"circular", CacheWrite::circular}});
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  if (node.input(2)) in.push_back(node.input(2));
  return {node.add_op(op, in)};
}

DEFINE_OP(TensorScatter)

}  // namespace onecard
