#include "lib/ops/tile.h"

#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

std::vector<TensorType> Tile::infer(const InferContext& in) const {
  in.type(1);  // raises when it is missing
  const TensorType& x = tensor_type(in, 0);
  const auto quant = moved_quant(x);
  if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  const auto repeats = in.contents(1);
  if (!repeats) return {TensorType(x.dtype, Shape::unknown(x.shape.rank()), quant)};
  require(static_cast<int64_t>(repeats->size()) == x.shape.rank(), ErrorKind::model, repeats->size(), " repeats for ", x.shape);
  Shape shape = x.shape;
  for (int64_t a = 0; a < shape.rank(); ++a) shape[a] = shape[a] * checked_extent((*repeats)[static_cast<size_t>(a)]);
  return {TensorType(x.dtype, shape, quant)};
}

std::optional<std::vector<Dim>> Tile::infer_contents(const InferContext& in) const {
  const auto x = in.contents(0);
  const auto repeats = in.ints(1);
  if (!x || !repeats || repeats->size() != 1 || repeats->front() > kContentsLimit) return std::nullopt;
  if (repeats->front() * static_cast<int64_t>(x->size()) > kContentsLimit) return std::nullopt;
  std::vector<Dim> tiled;
  for (int64_t i = 0; i < repeats->front(); ++i) tiled.insert(tiled.end(), x->begin(), x->end());
  return tiled;
}

void Tile::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const auto repeats = to_ints(*in[1]);
  require(static_cast<int64_t>(repeats.size()) == x.rank(), ErrorKind::model, repeats.size(), " repeats for rank ", x.rank());
  Dims dims = x.dims();
  for (size_t a = 0; a < dims.size(); ++a) dims[a] = element_count({dims[a], repeats[a]});
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  if (y.elements() == 0) return;
  const ElementCopier copy(x, y);
  if (dims.empty()) return copy(0, 0);
  const int64_t row = x.dims().back(), rows = y.elements() / dims.back();
  const auto strides = row_major_strides(x.dims());
  Dims index(dims.size() - 1, 0);
  for (int64_t r = 0; r < rows; ++r) {
    int64_t from = 0;
    for (size_t a = 0; a < index.size(); ++a) from += index[a] % x.dims()[a] * strides[a];
    for (int64_t k = 0; k < repeats.back(); ++k) copy(from, r * dims.back() + k * row, row);
    for (size_t a = index.size(); a-- > 0;) {
      if (++index[a] < dims[a]) break;
      index[a] = 0;
    }
  }
}

std::optional<OnnxForm> Tile::to_onnx(const Node&) const { return OnnxForm{"Tile", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Tile", 1}};
}
const std::span<const OnnxName> Tile::kOnnx{kNames};

namespace {

// Before opset 6: `tiles` repeats of one axis, both inputs.
Value* repeats_of_one_axis(const OnnxNode& node) {
  const auto axis = node.ints("", 2);
  const Shape& x = node.needed(0)->type.shape;
  require(axis && axis->size() == 1 && x.has_rank(), ErrorKind::model, "Tile before opset 6 needs a constant axis and an input of known rank");
  const int64_t along = checked_axis(axis->front(), x.rank());
  const auto ones = [&](int64_t count) { return int_list(node, std::vector<int64_t>(static_cast<size_t>(count), 1)); };
  Cast to_i64;
  to_i64.to = DType::i64;
  Value* tiles = node.add_op(to_i64, {node.needed(1)});
  return node.add_op(Concat{}, {ones(along), node.add_op(Reshape{}, {tiles, int_list(node, {1})}), ones(x.rank() - along - 1)});
}

}  // namespace

std::vector<Value*> Tile::from_onnx(const OnnxNode& node) {
  return {node.add_op(Tile{}, {node.needed(0), node.opset < 6 ? repeats_of_one_axis(node) : node.needed(1)})};
}

DEFINE_OP(Tile)

}  // namespace onecard
