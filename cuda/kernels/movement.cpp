// Operators that only move elements: each is one strided copy, or one per piece.
#include "cuda/kernels.h"
#include "cuda/walk.h"
#include "lib/ops/axes.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/depth_to_space.h"
#include "lib/ops/resize.h"
#include "lib/ops/shape_ops.h"

namespace onecard::cuda {
namespace {

// One copy between an input and an output, with the offsets of the first elements.
struct Move {
  StridedCopy copy;
  size_t in, out;
  int64_t from_bytes, to_bytes;
};
using Moves = std::optional<std::vector<Move>>;       // none: too many axes

Moves one(const Dims& extents, const Dims& from, const Dims& to, const TensorType& type, int64_t from_elements = 0) {
  const int bytes = element_bytes(type);
  const auto copy = StridedCopy::make(extents, from, to, bytes);
  if (!copy) return std::nullopt;
  return std::vector<Move>{{*copy, 0, 0, from_elements * bytes, 0}};
}

Moves moves_of(const Transpose& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), y = q.out[0].shape.numbers();
  const Dims strides = row_major_strides(x);
  Dims from;
  const auto rank = static_cast<int64_t>(x.size());
  for (int64_t i = 0; i < rank; ++i) from.push_back(strides[static_cast<size_t>(op.perm.empty() ? rank - 1 - i : checked_axis(op.perm[static_cast<size_t>(i)], rank))]);
  return one(y, from, row_major_strides(y), q.in[0]);
}

Moves moves_of(const Expand&, const KernelQuery& q) {
  const Dims y = q.out[0].shape.numbers();
  return one(y, broadcast_strides(q.in[0].shape.numbers(), y), row_major_strides(y), q.in[0]);
}

Moves moves_of(const Slice&, const KernelQuery& q) {
  const auto starts = known_ints(q, 1), ends = known_ints(q, 2);
  if (!starts || !ends || (q.has(3) && !known_ints(q, 3)) || (q.has(4) && !known_ints(q, 4))) return std::nullopt;
  const Dims x = q.in[0].shape.numbers(), y = q.out[0].shape.numbers();
  const auto ranges = slice_ranges(x, *starts, *ends, known_ints(q, 3), known_ints(q, 4));
  Dims from = row_major_strides(x);
  int64_t first = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (ranges[i].count != y[i]) return std::nullopt;
    if (ranges[i].count == 0) continue;               // nothing is copied; the step may be too large to multiply
    first += ranges[i].start * from[i];
    from[i] *= ranges[i].count > 1 ? ranges[i].step : 1;
  }
  return one(y, from, row_major_strides(y), q.in[0], first);
}

// Pieces along an axis: `parts` join to `whole`; the copies go one way or the other.
Moves piecewise(std::span<const TensorType> parts, const TensorType& whole, int64_t axis, bool joins) {
  const Dims whole_strides = row_major_strides(whole.shape.numbers());
  const auto along = static_cast<size_t>(checked_axis(axis, whole.shape.rank()));
  const int bytes = element_bytes(whole);
  std::vector<Move> moves;
  int64_t at = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Dims part = parts[i].shape.numbers(), strides = row_major_strides(part);
    const auto copy = joins ? StridedCopy::make(part, strides, whole_strides, bytes) : StridedCopy::make(part, whole_strides, strides, bytes);
    if (!copy) return std::nullopt;
    const int64_t offset = at * whole_strides[along] * bytes;
    moves.push_back(joins ? Move{*copy, i, 0, 0, offset} : Move{*copy, 0, i, offset, 0});
    at += part[along];
  }
  return moves;
}

Moves moves_of(const Concat& op, const KernelQuery& q) { return piecewise(q.in, q.out[0], op.axis, true); }
Moves moves_of(const Split& op, const KernelQuery& q) { return piecewise(q.out, q.in[0], op.axis, false); }

// Strides of both sides over [N, channel, H, row in block, W, column in block]: `deep` has the blocks as channels, `wide` as pixels.
struct BlockWalk {
  Dims extents, deep, wide;
};
BlockWalk block_walk(const Dims& wide, int64_t block, DepthOrder order) {
  const int64_t b = block, channels = wide[1], h = wide[2] / b, w = wide[3] / b, plane = h * w;
  const bool blocks_first = order == DepthOrder::block_first;
  const int64_t channel = blocks_first ? plane : b * b * plane, in_block = blocks_first ? channels * plane : plane;
  const int64_t wide_plane = wide[2] * wide[3];
  return {{wide[0], channels, h, b, w, b}, {channels * wide_plane, channel, w, b * in_block, 1, in_block}, {channels * wide_plane, wide_plane, b * wide[3], wide[3], b, 1}};
}
Moves moves_of(const DepthToSpace& op, const KernelQuery& q) {
  const BlockWalk walk = block_walk(q.out[0].shape.numbers(), op.block, op.order);
  return one(walk.extents, walk.deep, walk.wide, q.in[0]);
}
Moves moves_of(const SpaceToDepth& op, const KernelQuery& q) {
  const BlockWalk walk = block_walk(q.in[0].shape.numbers(), op.block, op.order);
  return one(walk.extents, walk.wide, walk.deep, q.in[0]);
}

// How often each element along an axis is repeated; none when the axis is resampled in any other way.
std::optional<int64_t> repeats_of(const ResizeAxis& axis) {
  if (axis.in < 1 || axis.out % axis.in != 0 || axis.taps != 1 || !axis.outside.empty()) return std::nullopt;
  const int64_t times = axis.out / axis.in;
  for (size_t o = 0; o < axis.index.size(); ++o)
    if (axis.index[o] != static_cast<int64_t>(o) / times) return std::nullopt;
  return times;
}

// Nearest neighbours that only repeat elements, as feature pyramids use them.
Moves moves_of(const Resize& op, const KernelQuery& q) {
  const auto given = [&](size_t i) { return !q.has(i) || (q.constants[i] && !q.constants[i]->is_deferred()); };
  if (op.mode != ResizeMode::nearest || q.has(1) || !given(2) || !given(3)) return std::nullopt;
  const Dims x = q.in[0].shape.numbers(), strides = row_major_strides(x);
  const auto scales = q.has(2) ? to_doubles(*q.constants[2]) : std::vector<double>();
  const auto sizes = q.has(3) ? to_ints(*q.constants[3]) : std::vector<int64_t>();
  Dims extents, from;
  size_t a = 0;
  for (const ResizeAxis& axis : resize_axes(op, x, {}, scales, sizes)) {
    const auto times = repeats_of(axis);
    if (!times) return std::nullopt;
    extents.insert(extents.end(), {axis.in, *times});
    from.insert(from.end(), {strides[a++], 0});
  }
  return one(extents, from, row_major_strides(extents), q.in[0]);
}

template <class O>
Support supports(const O& op, const KernelQuery& q) {
  if (Support s = plain_operands(q); !s) return s;
  return moves_of(op, q) ? yes() : no("more than 8 axes, bounds not known while planning, or a resampling that does not only repeat");
}

template <class O>
std::unique_ptr<Step> prepare(const O& op, const KernelQuery& q) {
  return make_step(q, [moves = *moves_of(op, q)](const LaunchArgs& args) {
    for (const Move& m : moves)
      if (args.out[m.out]) m.copy.run(in<char>(args, m.in) + m.from_bytes, out<char>(args, m.out) + m.to_bytes, args.queue);
  });
}

template <class O>
std::unique_ptr<Kernel> make(std::string_view name) { return std::make_unique<KernelFor<O, supports<O>, prepare<O>>>(name); }

}  // namespace

std::unique_ptr<Kernel> make_transpose_kernel() { return make<Transpose>("cuda.transpose"); }
std::unique_ptr<Kernel> make_expand_kernel() { return make<Expand>("cuda.expand"); }
std::unique_ptr<Kernel> make_slice_kernel() { return make<Slice>("cuda.slice"); }
std::unique_ptr<Kernel> make_concat_kernel() { return make<Concat>("cuda.concat"); }
std::unique_ptr<Kernel> make_depth_to_space_kernel() { return make<DepthToSpace>("cuda.depth_to_space"); }
std::unique_ptr<Kernel> make_space_to_depth_kernel() { return make<SpaceToDepth>("cuda.space_to_depth"); }
std::unique_ptr<Kernel> make_resize_kernel() { return make<Resize>("cuda.resize"); }
std::unique_ptr<Kernel> make_split_kernel() { return make<Split>("cuda.split"); }

}  // namespace onecard::cuda
