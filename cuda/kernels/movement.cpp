// Operators that only move elements: each is one strided copy, or one per piece.
#include "cuda/kernels.h"
#include "cuda/walk.h"
#include "lib/ops/axes.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/data_ops.h"
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
  for (size_t i = 0; i < x.size(); ++i) from.push_back(strides[op.perm.empty() ? x.size() - 1 - i : static_cast<size_t>(checked_axis(op.perm[i], static_cast<int64_t>(x.size())))]);
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

template <class O>
Support supports(const O& op, const KernelQuery& q) {
  if (Support s = plain_operands(q); !s) return s;
  return moves_of(op, q) ? yes() : no("more than 8 axes, or bounds that are not known while planning");
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
std::unique_ptr<Kernel> make_split_kernel() { return make<Split>("cuda.split"); }

}  // namespace onecard::cuda
