#include "lib/ops/binary.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> Expand::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  const auto quant = moved_quant(x);
  if (const auto wanted = in.contents(1)) {
    require(static_cast<int64_t>(wanted->size()) <= kRankLimit, ErrorKind::model, "a shape of ", wanted->size(), " extents");
    for (const Dim& d : *wanted) checked_extent(d);
    if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
    return {TensorType(x.dtype, broadcast(x.shape, Shape(*wanted)), quant)};
  }
  const auto rank = known_length(in.shape(1));
  if (!rank || !x.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  return {TensorType(x.dtype, Shape::unknown(std::max(*rank, x.shape.rank())), quant)};
}

std::optional<std::vector<Dim>> Expand::infer_contents(const InferContext& in) const {
  const auto x = in.contents(0), wanted = in.contents(1);
  if (!x || x->size() != 1 || !wanted) return std::nullopt;
  const auto count = Shape(*wanted).elements().maybe();
  if (!count || *count < 0 || *count > kContentsLimit) return std::nullopt;
  return std::vector<Dim>(static_cast<size_t>(*count), x->front());
}

void Expand::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const Dims dims = broadcast_dims(x.dims(), to_ints(*in[1]));
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  if (y.elements() == 0) return;
  auto strides = broadcast_strides(x.dims(), dims);
  // Trailing axes that are not repeated move as one block.
  Dims outer = dims;
  int64_t block = 1;
  while (!outer.empty() && (strides.back() != 0 || outer.back() == 1)) {
    block *= outer.back();
    outer.pop_back();
    strides.pop_back();
  }
  const ElementCopier copy(x, y);
  const std::array<std::vector<int64_t>, 1> steps{strides};
  walk(outer, steps, 0, element_count(outer), [&](int64_t i, const auto& from) { copy(from[0], i * block, block); });
}

std::optional<OnnxForm> Expand::to_onnx(const Node&) const { return OnnxForm{"Expand", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Expand", 8}};
}
const std::span<const OnnxName> Expand::kOnnx{kNames};

std::vector<Value*> Expand::from_onnx(const OnnxNode& node) { return {node.add_op(Expand{}, {node.needed(0), node.needed(1)})}; }

DEFINE_OP(Expand)

}  // namespace onecard
