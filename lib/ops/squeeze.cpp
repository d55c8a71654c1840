#include <algorithm>

#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

// Which axes of `x` go; none when that cannot be told yet.
std::optional<std::vector<int64_t>> removed_axes(const Shape& x, const std::optional<std::vector<int64_t>>& axes) {
  std::vector<int64_t> removed;
  if (axes) {
    removed = axis_indices(*axes, x.rank());
    for (int64_t a : removed) require(!x[a].is_number() || x[a].number() == 1, ErrorKind::model, "cannot squeeze axis ", a, " of ", x);
    return removed;
  }
  for (int64_t a = 0; a < x.rank(); ++a) {
    if (!x[a].is_number()) return std::nullopt;
    if (x[a].number() == 1) removed.push_back(a);
  }
  return removed;
}

TensorType squeezed(const TensorType& x, const std::vector<int64_t>& removed) {
  const auto gone = [&](int64_t a) { return std::find(removed.begin(), removed.end(), a) != removed.end(); };
  std::vector<Dim> dims;
  QuantizationPtr quant = x.quant;
  for (int64_t a = 0; a < x.shape.rank(); ++a) {
    if (x.quant && x.quant->axis == a) {
      if (gone(a)) moved_quant(x);  // refuses
      Quantization q = *x.quant;
      q.axis = static_cast<int64_t>(dims.size());
      quant = std::make_shared<const Quantization>(q);
    }
    if (!gone(a)) dims.push_back(x.shape[a]);
  }
  return TensorType(x.dtype, Shape(dims), quant);
}

}  // namespace

std::vector<TensorType> Squeeze::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  const TensorType unranked(x.dtype, Shape::unranked(), x.quant);
  if (!x.shape.has_rank()) return {unranked};
  std::optional<std::vector<int64_t>> axes;
  if (in.has(1)) {
    axes = in.ints(1);
    if (!axes) {
      const auto count = known_length(in.shape(1));
      if (!count) return {unranked};
      require(*count <= x.shape.rank(), ErrorKind::model, "squeezes ", *count, " axes of ", x.shape);
      return {TensorType(x.dtype, Shape::unknown(x.shape.rank() - *count), moved_quant(x))};
    }
  }
  const auto removed = removed_axes(x.shape, axes);
  return {removed ? squeezed(x, *removed) : unranked};
}

std::optional<std::vector<Dim>> Squeeze::infer_contents(const InferContext& in) const { return in.contents(0); }

void Squeeze::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  std::optional<std::vector<int64_t>> axes;
  if (in.size() > 1 && in[1]) axes = to_ints(*in[1]);
  const TensorType type = squeezed(x.type(), *removed_axes(Shape::of(x.dims()), axes));
  copy_all(x, allocated(out[0], x.dtype(), type.shape.numbers(), type.quant));
}

std::optional<OnnxForm> Squeeze::to_onnx(const Node&) const { return OnnxForm{"Squeeze", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Squeeze", 1}};
}
const std::span<const OnnxName> Squeeze::kOnnx{kNames};

std::vector<Value*> Squeeze::from_onnx(const OnnxNode& node) {
  Value* axes = list_input(node, "axes", 1);
  return {node.add_op(Squeeze{}, axes ? std::vector<Value*>{node.needed(0), axes} : std::vector<Value*>{node.needed(0)})};
}

DEFINE_OP(Squeeze)

}  // namespace onecard
