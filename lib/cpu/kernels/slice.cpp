#include "lib/cpu/kernels.h"
#include "lib/cpu/strided_copy.h"
#include "lib/ops/data_ops.h"

namespace onecard {
namespace {

struct Cut {
  StridedCopy copy;
  int64_t offset_bytes = 0;
  bool whole = false;
};

std::optional<std::vector<SliceRange>> ranges_of(const KernelQuery& q) {
  const auto starts = known_ints(q, 1), ends = known_ints(q, 2), axes = known_ints(q, 3), steps = known_ints(q, 4);
  if (!starts || !ends || (q.has(3) && !axes) || (q.has(4) && !steps)) return std::nullopt;
  return slice_ranges(q.in[0].shape.numbers(), *starts, *ends, axes, steps);
}

std::optional<Cut> cut_of(const KernelQuery& q, const std::vector<SliceRange>& ranges) {
  const Dims x = q.in[0].shape.numbers(), y = q.out[0].shape.numbers(), strides = row_major_strides(x);
  Dims from;
  int64_t offset = 0;
  for (size_t a = 0; a < ranges.size(); ++a) {
    if (ranges[a].count != y[a]) return std::nullopt;
    // An axis of one is never stepped along, and a hostile step would overflow.
    from.push_back(ranges[a].count > 1 ? strides[a] * ranges[a].step : 0);
    offset += ranges[a].count > 0 ? strides[a] * ranges[a].start : 0;
  }
  const auto copy = StridedCopy::make(y, from, row_major_strides(y), element_bytes(q.in[0]));
  if (!copy) return std::nullopt;
  return Cut{*copy, offset * element_bytes(q.in[0]), x == y && copy->is_one_block()};
}

Support supports(const Slice&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  const auto ranges = ranges_of(q);
  if (!ranges) return no("the ranges are not known while planning");
  return cut_of(q, *ranges) ? yes() : no("too many axes");
}

std::unique_ptr<Step> prepare(const Slice&, const KernelQuery& q) {
  const Cut cut = *cut_of(q, *ranges_of(q));
  if (cut.whole) return view_step(q);
  return plain_step(q, [cut](const LaunchArgs& args) { cut.copy.run(static_cast<const char*>(args.in[0]) + cut.offset_bytes, args.out[0]); });
}

}  // namespace

std::unique_ptr<Kernel> make_slice_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Slice, supports, prepare>>("cpu.slice"); }

}  // namespace onecard
