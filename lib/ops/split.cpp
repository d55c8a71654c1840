#include <algorithm>

#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

constexpr int64_t kMostPieces = 1 << 16;

// The extents of the pieces of an axis when none are given: equal, the last one smaller.
std::vector<Dim> equal_pieces(const Dim& extent, int64_t count) {
  const Dim exact = extent / count;
  if (extent.is_unknown()) return std::vector<Dim>(static_cast<size_t>(count), Dim::unknown());
  if (exact * count == extent) return std::vector<Dim>(static_cast<size_t>(count), exact);
  const Dim piece = ceil_div(extent, count);
  std::vector<Dim> pieces(static_cast<size_t>(count), piece);
  if (!extent.is_number()) {
    pieces.back() = extent - piece * (count - 1);
    return pieces;
  }
  int64_t rest = extent.number();
  for (Dim& p : pieces) {
    p = std::min(rest, piece.number());
    rest -= p.number();
  }
  return pieces;
}

void check_sum(const std::vector<Dim>& pieces, const Dim& extent) {
  Dim sum = 0;
  for (const Dim& p : pieces) sum = sum + checked_extent(p);
  require(!sum.is_number() || !extent.is_number() || sum == extent, ErrorKind::model, "pieces of ", sum, " in all do not make the extent ", extent);
}

}  // namespace

std::vector<TensorType> Split::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(outputs >= 1 && outputs <= kMostPieces, ErrorKind::model, "splits into ", outputs, " pieces");
  const auto quant = moved_quant(x);
  if (!x.shape.has_rank()) return std::vector<TensorType>(static_cast<size_t>(outputs), TensorType(x.dtype, Shape::unranked(), quant));
  const int64_t along = checked_axis(axis, x.shape.rank());
  std::vector<Dim> pieces(static_cast<size_t>(outputs), Dim::unknown());
  if (!in.has(1)) {
    pieces = equal_pieces(x.shape[along], outputs);
  } else if (const auto given = in.contents(1)) {
    require(static_cast<int64_t>(given->size()) == outputs, ErrorKind::model, given->size(), " piece sizes for ", outputs, " outputs");
    pieces = *given;
    check_sum(pieces, x.shape[along]);
  }
  std::vector<TensorType> types;
  for (const Dim& piece : pieces) {
    Shape shape = x.shape;
    shape[along] = piece;
    types.emplace_back(x.dtype, shape, quant);
  }
  return types;
}

void Split::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const int64_t along = checked_axis(axis, x.rank());
  const AxisView from = axis_view(x.dims(), along);
  std::vector<Dim> pieces;
  if (in.size() > 1 && in[1]) {
    for (int64_t p : to_ints(*in[1])) pieces.push_back(p);
    check_sum(pieces, from.extent);
  } else {
    pieces = equal_pieces(from.extent, outputs);
  }
  require(pieces.size() == out.size(), ErrorKind::model, pieces.size(), " piece sizes for ", out.size(), " outputs");
  int64_t at = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    Dims dims = x.dims();
    dims[static_cast<size_t>(along)] = pieces[i].number();
    Tensor& y = allocated(out[i], x.dtype(), dims, x.type().quant);
    const ElementCopier copy(x, y);
    const int64_t run = pieces[i].number() * from.inner;
    for (int64_t o = 0; o < from.outer; ++o) copy(o * from.extent * from.inner + at, o * run, run);
    at += run;
  }
}

std::optional<OnnxForm> Split::to_onnx(const Node& node) const {
  OnnxForm form{"Split", {{"axis", axis}}, ""};
  if (!node.input(1)) form.attributes["num_outputs"] = outputs;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "Split", 1}};
}
const std::span<const OnnxName> Split::kOnnx{kNames};

std::vector<Value*> Split::from_onnx(const OnnxNode& node) {
  Split op;
  op.axis = node.attr<int64_t>("axis", 0);
  op.outputs = static_cast<int64_t>(node.outputs.size());
  const auto named = node.attr<int64_t>("num_outputs", op.outputs);
  require(named >= op.outputs && named <= kMostPieces, ErrorKind::model, "num_outputs is ", named, ", the node has ", op.outputs, " outputs");
  op.outputs = named;
  Value* sizes = list_input(node, "split", 1);
  return node.add_all(op, sizes ? std::vector<Value*>{node.needed(0), sizes} : std::vector<Value*>{node.needed(0)});
}

DEFINE_OP(Split)

}  // namespace onecard
