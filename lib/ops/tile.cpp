#include "lib/ops/broadcast_index.h"
#include "lib/ops/generate_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> Tile::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(is_integer(tensor_type(in, 1).dtype), ErrorKind::model, "repeats must be integers, not ", info(in.dtype(1)).name);
  const auto quant = moved_quant(x);
  if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  const auto repeats = in.contents(1);
  if (!repeats) return {TensorType(x.dtype, Shape::unknown(x.shape.rank()), quant)};
  require(static_cast<int64_t>(repeats->size()) == x.shape.rank(), ErrorKind::model, repeats->size(), " repeats of ", x.shape.text());
  Shape shape = x.shape;
  for (int64_t a = 0; a < shape.rank(); ++a) shape[a] = shape[a] * checked_extent((*repeats)[static_cast<size_t>(a)]);
  return {TensorType(x.dtype, shape, quant)};
}

std::optional<std::vector<Dim>> Tile::infer_contents(const InferContext& in) const {
  const auto x = in.contents(0);
  const auto repeats = in.ints(1);
  if (!x || !repeats || !in.shape(0).has_rank() || in.shape(0).rank() != 1 || repeats->size() != 1) return std::nullopt;
  if ((*repeats)[0] < 0 || (*repeats)[0] > kContentsLimit || static_cast<int64_t>(x->size()) * (*repeats)[0] > kContentsLimit) return std::nullopt;
  std::vector<Dim> tiled;
  for (int64_t i = 0; i < (*repeats)[0]; ++i) tiled.insert(tiled.end(), x->begin(), x->end());
  return tiled;
}

void Tile::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const auto repeats = to_ints(*in[1]);
  require(static_cast<int64_t>(repeats.size()) == x.rank(), ErrorKind::model, repeats.size(), " repeats of ", x.type().text());
  const auto strides = row_major_strides(x.dims());
  Dims dims, split;                                   // y's extents; the same as repeat and extent of each axis
  std::array<std::vector<int64_t>, 1> steps;
  for (size_t a = 0; a < repeats.size(); ++a) {
    require(repeats[a] >= 0, ErrorKind::model, "repeats an axis ", repeats[a], " times");
    dims.push_back(element_count({x.dims()[a], repeats[a]}));
    split.insert(split.end(), {repeats[a], x.dims()[a]});
    steps[0].insert(steps[0].end(), {0, strides[a]});
  }
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  if (y.elements() == 0) return;
  // Trailing axes that are not repeated move as one block.
  int64_t block = 1;
  while (!split.empty() && (steps[0].back() != 0 || split.back() == 1)) {
    block *= split.back();
    split.pop_back();
    steps[0].pop_back();
  }
  const ElementCopier copy(x, y);
  walk(split, steps, 0, element_count(split), [&](int64_t i, const auto& from) { copy(from[0], i * block, block); });
}

std::optional<OnnxForm> Tile::to_onnx(const Node&) const { return OnnxForm{"Tile", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Tile", 1}};
}
const std::span<const OnnxName> Tile::kOnnx{kNames};

std::vector<Value*> Tile::from_onnx(const OnnxNode& node) {
  Value* x = node.needed(0);
  if (node.opset >= 6) return {node.add_op(Tile{}, {x, node.needed(1)})};
  // The first form repeats one axis: inputs tiles and axis.
  const auto tiles = node.ints("tiles", 1), axis = node.ints("axis", 2);
  require(x->type.shape.has_rank() && tiles && axis && tiles->size() == 1 && axis->size() == 1, ErrorKind::model, "opset 1 needs constant tiles and axis, and a known rank");
  std::vector<int64_t> repeats(static_cast<size_t>(x->type.shape.rank()), 1);
  repeats[static_cast<size_t>(checked_axis((*axis)[0], x->type.shape.rank()))] = (*tiles)[0];
  return {node.add_op(Tile{}, {x, int_list(node, repeats)})};
}

DEFINE_OP(Tile)

}  // namespace onecard
