#include "lib/ops/split_to_sequence.h"

#include <algorithm>

#include "lib/ops/movement.h"

namespace onecard {

namespace {

constexpr int64_t kMostPieces = 1 << 24;

// The extents of the pieces of an axis.
std::vector<int64_t> pieces_of(int64_t extent, const Tensor* split) {
  std::vector<int64_t> pieces;
  if (split && split->rank() == 1) {
    pieces = to_ints(*split);
    int64_t sum = 0;
    for (int64_t p : pieces) require(p >= 0 && !__builtin_add_overflow(sum, p, &sum), ErrorKind::model, "a piece of ", p);
    require(sum == extent, ErrorKind::model, "pieces of ", sum, " in all do not make the extent ", extent);
    return pieces;
  }
  require(!split || split->elements() == 1, ErrorKind::model, "split must be one integer or a list");
  const int64_t piece = split ? split->int_at(0) : 1;
  require(piece > 0 && extent / piece < kMostPieces, ErrorKind::model, "splits ", extent, " into pieces of ", piece);
  for (int64_t at = 0; at < extent; at += piece) pieces.push_back(std::min(piece, extent - at));
  return pieces;
}

}  // namespace

std::vector<TensorType> SplitToSequence::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  TensorType sequence(x.dtype, x.shape, moved_quant(x));
  sequence.container = Container::sequence;
  if (!x.shape.has_rank()) return {sequence};
  const int64_t along = checked_axis(axis, x.shape.rank());
  std::vector<Dim> dims = x.shape.dims();
  if (!in.has(1)) {
    if (split_axis == SplitAxis::dropped) dims.erase(dims.begin() + along);
    else dims[static_cast<size_t>(along)] = 1;
  } else {
    dims[static_cast<size_t>(along)] = Dim::unknown();
  }
  sequence.shape = Shape(dims);
  return {sequence};
}

void SplitToSequence::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const Tensor* split = in.size() > 1 ? in[1] : nullptr;
  const int64_t along = checked_axis(axis, x.rank());
  const AxisView from = axis_view(x.dims(), along);
  const bool drops = !split && split_axis == SplitAxis::dropped;
  std::vector<Tensor> items;
  int64_t at = 0;
  for (const int64_t piece : pieces_of(from.extent, split)) {
    Dims dims = x.dims();
    if (drops) dims.erase(dims.begin() + along);
    else dims[static_cast<size_t>(along)] = piece;
    Tensor item(TensorType(x.dtype(), Shape::of(dims), x.type().quant));
    const ElementCopier copy(x, item);
    for (int64_t o = 0; o < from.outer; ++o) copy((o * from.extent + at) * from.inner, o * piece * from.inner, piece * from.inner);
    items.push_back(std::move(item));
    at += piece;
  }
  TensorType element(x.dtype(), Shape::unknown(drops ? x.rank() - 1 : x.rank()), x.type().quant);
  out[0] = Tensor::sequence(element, std::move(items));
}

std::optional<OnnxForm> SplitToSequence::to_onnx(const Node&) const {
  return OnnxForm{"SplitToSequence", {{"axis", axis}, {"keepdims", int64_t{split_axis == SplitAxis::kept}}}, ""};
}

namespace {
constexpr OnnxName kNames[] = {{"", "SplitToSequence", 11}};
}
const std::span<const OnnxName> SplitToSequence::kOnnx{kNames};

std::vector<Value*> SplitToSequence::from_onnx(const OnnxNode& node) {
  SplitToSequence op;
  op.axis = node.attr<int64_t>("axis", 0);
  op.split_axis = node.attr<int64_t>("keepdims", 1) != 0 ? SplitAxis::kept : SplitAxis::dropped;
  std::vector<Value*> in{node.needed(0)};
  if (node.input(1)) in.push_back(node.input(1));
  return {node.add_op(op, in)};
}

DEFINE_OP(SplitToSequence)

}  // namespace onecard
