#include <algorithm>

#include "lib/ops/broadcast_index.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

// What exporters write for "to the end".
constexpr int64_t kFar = INT32_MAX;

// Whether an expression is surely meant as a count from the back: negative where all symbols are large.
bool counts_from_back(const Dim& d) {
  SymbolValues large;
  for (const auto& s : d.symbols()) large[s] = int64_t{1} << 20;
  const auto n = d.bind(large).maybe();
  return n && *n < 0;
}

// A bound of a forward slice as an expression; unknown when it depends on which of two sizes is smaller.
Dim forward_bound(const Dim& bound, const Dim& extent) {
  if (bound.is_unknown()) return bound;
  if (counts_from_back(bound)) return bound.is_number() && bound.number() <= -kFar ? Dim(0) : extent + bound;
  return bound.is_number() && bound.number() >= kFar ? extent : bound;
}

// How many indices a slice takes from an extent of which not everything is a number. A symbolic extent is taken to reach the bounds; where
// it does not, the expression is negative and the binding of sizes refuses it. A number greater than one is never concluded that way.
Dim symbolic_count(const Dim& extent, const Dim& start, const Dim& end, int64_t step) {
  if (step < 0) {
    const bool whole = step == -1 && (start == Dim(-1) || (start.is_number() && start.number() >= kFar)) && end.is_number() && end.number() <= -kFar;
    return whole ? extent : Dim::unknown();
  }
  const Dim count = ceil_div(forward_bound(end, extent) - forward_bound(start, extent), step);
  if (!count.is_number()) return count;
  if (count.number() <= 0) return 0;
  return extent.is_number() || count.number() == 1 ? count : Dim::unknown();
}

SliceRange range_of(int64_t extent, int64_t start, int64_t end, int64_t step) {
  require(step != 0, ErrorKind::model, "a step of 0");
  step = std::max(step, -INT64_MAX);
  if (start < 0) start += extent;
  if (end < 0) end += extent;
  if (step > 0) {
    start = std::clamp<int64_t>(start, 0, extent);
    end = std::clamp<int64_t>(end, 0, extent);
    return {start, step, end > start ? (end - start - 1) / step + 1 : 0};
  }
  start = std::clamp<int64_t>(start, -1, extent - 1);
  end = std::clamp<int64_t>(end, -1, extent - 1);
  return {start, step, start > end ? (start - end - 1) / -step + 1 : 0};
}

// The sliced axes in order: those given, or the first ones.
std::vector<int64_t> sliced_axes(const std::optional<std::vector<int64_t>>& axes, size_t count, int64_t rank) {
  require(count <= static_cast<size_t>(rank), ErrorKind::model, count, " slices of a tensor of rank ", rank);
  std::vector<int64_t> first;
  for (size_t i = 0; i < count; ++i) first.push_back(static_cast<int64_t>(i));
  if (!axes) return first;
  require(axes->size() == count, ErrorKind::model, count, " starts for ", axes->size(), " axes");
  return axis_indices(*axes, rank);
}

std::optional<std::vector<int64_t>> optional_ints(Inputs in, size_t i) { return i < in.size() && in[i] ? std::optional(to_ints(*in[i])) : std::nullopt; }

}  // namespace

std::vector<SliceRange> slice_ranges(const Dims& x, const std::vector<int64_t>& starts, const std::vector<int64_t>& ends,
                                     const std::optional<std::vector<int64_t>>& axes, const std::optional<std::vector<int64_t>>& steps) {
  require(starts.size() == ends.size() && (!steps || steps->size() == starts.size()), ErrorKind::model, "starts, ends and steps differ in length");
  std::vector<SliceRange> ranges;
  for (int64_t extent : x) ranges.push_back({0, 1, extent});
  const auto along = sliced_axes(axes, starts.size(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < along.size(); ++i) {
    const auto a = static_cast<size_t>(along[i]);
    ranges[a] = range_of(x[a], starts[i], ends[i], steps ? (*steps)[i] : 1);
  }
  return ranges;
}

std::vector<TensorType> Slice::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  const auto quant = moved_quant(x);
  if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  const auto axes = in.ints(3), steps = in.ints(4);
  const auto length = known_length(in.shape(1));
  if ((in.has(3) && !axes) || (!length && !axes)) return {TensorType(x.dtype, Shape::unknown(x.shape.rank()), quant)};
  const size_t count = axes ? axes->size() : static_cast<size_t>(*length);
  const auto starts = in.contents(1), ends = in.contents(2);
  const bool lengths_agree = (!starts || starts->size() == count) && (!ends || ends->size() == count) && (!steps || steps->size() == count);
  require(lengths_agree, ErrorKind::model, "starts, ends, axes and steps differ in length");
  Shape shape = x.shape;
  const auto along = sliced_axes(axes, count, shape.rank());
  for (size_t i = 0; i < count; ++i) {
    Dim& extent = shape[along[i]];
    if (!starts || !ends || (in.has(4) && !steps)) {
      extent = Dim::unknown();
      continue;
    }
    const Dim &start = (*starts)[i], &end = (*ends)[i];
    const int64_t step = steps ? (*steps)[i] : 1;
    require(step != 0, ErrorKind::model, "a step of 0");
    if (extent.is_number() && start.is_number() && end.is_number()) extent = range_of(extent.number(), start.number(), end.number(), step).count;
    else extent = symbolic_count(extent, start, end, step);
  }
  return {TensorType(x.dtype, shape, quant)};
}

std::optional<std::vector<Dim>> Slice::infer_contents(const InferContext& in) const {
  const auto x = in.contents(0);
  const auto starts = in.ints(1), ends = in.ints(2), axes = in.ints(3), steps = in.ints(4);
  if (!x || !in.shape(0).has_rank() || in.shape(0).rank() != 1 || !starts || !ends || (in.has(3) && !axes) || (in.has(4) && !steps)) return std::nullopt;
  const SliceRange range = slice_ranges({static_cast<int64_t>(x->size())}, *starts, *ends, axes, steps)[0];
  std::vector<Dim> picked;
  for (int64_t i = 0; i < range.count; ++i) picked.push_back((*x)[static_cast<size_t>(range.start + i * range.step)]);
  return picked;
}

void Slice::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const auto ranges = slice_ranges(x.dims(), to_ints(*in[1]), to_ints(*in[2]), optional_ints(in, 3), optional_ints(in, 4));
  Dims dims;
  for (const auto& r : ranges) dims.push_back(r.count);
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  if (y.elements() == 0) return;
  const auto strides = row_major_strides(x.dims());
  int64_t origin = 0;
  std::array<std::vector<int64_t>, 1> steps;
  for (size_t a = 0; a < ranges.size(); ++a) {
    origin += ranges[a].start * strides[a];
    steps[0].push_back(ranges[a].count > 1 ? ranges[a].step * strides[a] : 0);
  }
  // Trailing axes taken whole, and one taken in part without gaps, move as one block.
  int64_t block = 1;
  Dims outer = dims;
  while (!outer.empty() && ranges[outer.size() - 1].step == 1) {
    const bool whole = outer.back() == x.dims()[outer.size() - 1];
    block *= outer.back();
    outer.pop_back();
    steps[0].pop_back();
    if (!whole) break;
  }
  const ElementCopier copy(x, y);
  walk(outer, steps, 0, element_count(outer), [&](int64_t i, const auto& from) { copy(origin + from[0], i * block, block); });
}

std::optional<OnnxForm> Slice::to_onnx(const Node&) const { return OnnxForm{"Slice", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Slice", 1}};
}
const std::span<const OnnxName> Slice::kOnnx{kNames};

std::vector<Value*> Slice::from_onnx(const OnnxNode& node) {
  if (node.opset >= 10 && !node.has("starts")) {
    node.needed(1), node.needed(2);
    return {node.add_op(Slice{}, node.inputs)};
  }
  std::vector<Value*> in{node.needed(0), int_list(node, node.needed_attr<std::vector<int64_t>>("starts")), int_list(node, node.needed_attr<std::vector<int64_t>>("ends"))};
  if (node.has("axes")) in.push_back(int_list(node, node.needed_attr<std::vector<int64_t>>("axes")));
  return {node.add_op(Slice{}, in)};
}

DEFINE_OP(Slice)

}  // namespace onecard
