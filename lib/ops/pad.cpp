#include <algorithm>

#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

// What is added before and after each axis of a tensor of `rank`, from the pads of the axes named (all when none are).
template <class T>
std::vector<std::pair<T, T>> pads_of(const std::vector<T>& pads, const std::optional<std::vector<int64_t>>& axes, int64_t rank) {
  std::vector<std::pair<T, T>> each(static_cast<size_t>(rank), {T(0), T(0)});
  std::vector<int64_t> along;
  for (int64_t a = 0; !axes && a < rank; ++a) along.push_back(a);
  if (axes) along = axis_indices(*axes, rank);
  require(pads.size() == 2 * along.size(), ErrorKind::model, pads.size(), " pads for ", along.size(), " axes");
  for (size_t i = 0; i < along.size(); ++i) each[static_cast<size_t>(along[i])] = {pads[i], pads[i + along.size()]};
  return each;
}

// The index of every element of an axis is held while padding.
constexpr int64_t kLongestAxis = int64_t{1} << 28;

// Which index of an axis each padded index shows; -1: the constant. Negative pads cut first, the rest pads what is left.
std::vector<int64_t> shown_indices(int64_t extent, int64_t before, int64_t after, PadMode mode) {
  constexpr int64_t kFarthest = int64_t{1} << 60;
  require(before > -kFarthest && after > -kFarthest, ErrorKind::model, "pads ", before, " and ", after, " of an extent of ", extent);
  const int64_t first = before < 0 ? -before : 0, last = after < 0 ? extent + after : extent, kept = last - first;
  int64_t count = 0;
  const bool fits = !__builtin_add_overflow(extent, before, &count) && !__builtin_add_overflow(count, after, &count) && count >= 0 && kept >= 0;
  require(fits, ErrorKind::model, "pads ", before, " and ", after, " of an extent of ", extent);
  require(count <= kLongestAxis, ErrorKind::does_not_fit, "pads an axis to ", count, " elements");
  require(kept > 0 || count == 0 || mode == PadMode::constant, ErrorKind::model, "pads an empty axis with its own elements");
  const int64_t lead = std::max<int64_t>(before, 0);
  std::vector<int64_t> shown(static_cast<size_t>(count), -1);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = i - lead;
    if (at < 0 || at >= kept) {
      if (mode == PadMode::constant) continue;
      if (mode == PadMode::edge) at = std::clamp<int64_t>(at, 0, kept - 1);
      if (mode == PadMode::wrap) at = (at % kept + kept) % kept;
      if (mode == PadMode::reflect) {
        const int64_t period = std::max<int64_t>(2 * (kept - 1), 1);
        at = (at % period + period) % period;
        if (at >= kept) at = period - at;
      }
    }
    shown[static_cast<size_t>(i)] = first + at;
  }
  return shown;
}

// Writes one row of the innermost axis whose source row starts at `from`.
void pad_row(const ElementCopier& copy, Tensor& y, const Tensor* value, const std::vector<int64_t>& shown, int64_t from, int64_t to) {
  const int64_t count = static_cast<int64_t>(shown.size());
  for (int64_t i = 0; i < count;) {
    int64_t run = 1;
    const int64_t at = shown[static_cast<size_t>(i)];
    while (i + run < count && shown[static_cast<size_t>(i + run)] == (at < 0 ? -1 : at + run)) ++run;
    if (at < 0) fill_elements(y, to + i, run, value);
    else copy(from + at, to + i, run);
    i += run;
  }
}

}  // namespace

std::vector<TensorType> Pad::infer(const InferContext& in) const {
  in.type(1);                                         // raises when it is missing
  const TensorType& x = tensor_type(in, 0);
  const auto quant = moved_quant(x);
  if (in.has(2)) require(tensor_type(in, 2).dtype == x.dtype, ErrorKind::model, "pads ", info(x.dtype).name, " with ", info(in.dtype(2)).name);
  require(!quant || mode != PadMode::constant || in.has(2), ErrorKind::model, "pads a quantized value without saying with what");
  if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  const auto pads = in.contents(1);
  const auto axes = in.ints(3);
  if (!pads || (in.has(3) && !axes)) return {TensorType(x.dtype, Shape::unknown(x.shape.rank()), quant)};
  Shape shape = x.shape;
  const auto each = pads_of(*pads, axes, shape.rank());
  for (int64_t a = 0; a < shape.rank(); ++a) shape[a] = checked_extent(shape[a] + each[static_cast<size_t>(a)].first + each[static_cast<size_t>(a)].second);
  return {TensorType(x.dtype, shape, quant)};
}

void Pad::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const Tensor* value = in.size() > 2 && in[2] && in[2]->elements() > 0 ? in[2] : nullptr;
  const auto axes = in.size() > 3 && in[3] ? std::optional(to_ints(*in[3])) : std::nullopt;
  const auto each = pads_of(to_ints(*in[1]), axes, x.rank());
  std::vector<std::vector<int64_t>> shown;
  Dims dims;
  for (size_t a = 0; a < each.size(); ++a) {
    shown.push_back(shown_indices(x.dims()[a], each[a].first, each[a].second, mode));
    dims.push_back(static_cast<int64_t>(shown.back().size()));
  }
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  const ElementCopier copy(x, y);
  if (dims.empty()) return copy(0, 0);
  if (y.elements() == 0) return;
  const auto strides = row_major_strides(x.dims());
  const int64_t row = dims.back(), rows = y.elements() / row;
  Dims index(dims.size() - 1, 0);
  for (int64_t r = 0; r < rows; ++r) {
    int64_t from = 0;
    bool inside = true;
    for (size_t a = 0; a < index.size(); ++a) {
      const int64_t at = shown[a][static_cast<size_t>(index[a])];
      inside = inside && at >= 0;
      from += at * strides[a];
    }
    if (inside) pad_row(copy, y, value, shown.back(), from, r * row);
    else fill_elements(y, r * row, row, value);
    for (size_t a = index.size(); a-- > 0;) {
      if (++index[a] < dims[a]) break;
      index[a] = 0;
    }
  }
}

std::optional<OnnxForm> Pad::to_onnx(const Node&) const { return OnnxForm{"Pad", {{"mode", std::string(kPadModeNames[static_cast<size_t>(mode)])}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Pad", 1}};
}
const std::span<const OnnxName> Pad::kOnnx{kNames};

std::vector<Value*> Pad::from_onnx(const OnnxNode& node) {
  Pad op;
  const auto mode = node.attr<std::string>("mode", "constant");
  const auto found = std::find(std::begin(kPadModeNames), std::end(kPadModeNames), mode);
  require(found != std::end(kPadModeNames), ErrorKind::model, "mode '", mode, "'");
  op.mode = static_cast<PadMode>(found - std::begin(kPadModeNames));
  const std::string_view pads = node.opset < 2 ? "paddings" : "pads";
  if (!node.has(pads)) {
    node.needed(1);
    return {node.add_op(op, node.inputs)};
  }
  Tensor value(node.needed(0)->type.dtype, Dims{});
  if (const float v = node.attr<float>("value", 0.0f); v != 0) value.set(0, v);
  return {node.add_op(op, {node.needed(0), list_input(node, pads, 1), node.constant(std::move(value))})};
}

DEFINE_OP(Pad)

}  // namespace onecard
