#include <algorithm>
#include <cstring>

#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/axes.h"
#include "lib/ops/data_ops.h"

namespace onecard {
namespace {

// x as [outer, extent] rows of `row_bytes`; y as [outer, count] of them.
struct Rows {
  int64_t outer, extent, count, row_bytes;
};

int64_t place_of(int64_t index, int64_t extent) {
  require(index >= -extent && index < extent, ErrorKind::model, "gather: index ", index, " of an axis of ", extent);
  return index < 0 ? index + extent : index;
}

// kBytes: row_bytes when known to the compiler; 0: not.
template <class Index, int64_t kBytes>
void gather(const Rows& r, const char* x, const Index* indices, char* y) {
  const int64_t bytes = kBytes ? kBytes : r.row_bytes;
  in_parallel(r.outer * r.count, std::max<int64_t>(1, (int64_t{1} << 15) / std::max<int64_t>(bytes, 8)), [&](int64_t begin, int64_t end) {
    int64_t o = begin / r.count, i = begin % r.count;
    for (int64_t at = begin; at < end; ++at) {
      const int64_t place = place_of(static_cast<int64_t>(indices[i]), r.extent);
      if (bytes > 0) std::memcpy(y + at * bytes, x + (o * r.extent + place) * bytes, static_cast<size_t>(bytes));
      if (++i == r.count) i = 0, ++o;
    }
  });
}

template <class Index>
void gather_any(const Rows& r, const void* x, const void* indices, void* y) {
  const auto* from = static_cast<const char*>(x);
  const auto* places = static_cast<const Index*>(indices);
  auto* to = static_cast<char*>(y);
  switch (r.row_bytes) {
    case 1: return gather<Index, 1>(r, from, places, to);
    case 2: return gather<Index, 2>(r, from, places, to);
    case 4: return gather<Index, 4>(r, from, places, to);
    case 8: return gather<Index, 8>(r, from, places, to);
    default: return gather<Index, 0>(r, from, places, to);
  }
}

Support supports(const Gather&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  const DType t = q.in[1].dtype;
  return t == DType::i64 || t == DType::i32 ? yes() : no("indices are " + q.in[1].text());
}

std::unique_ptr<Step> prepare(const Gather& op, const KernelQuery& q) {
  const AxisView x = axis_view(q.in[0].shape.numbers(), op.axis);
  const Rows rows{x.outer, x.extent, element_count(q.in[1].shape.numbers()), x.inner * element_bytes(q.in[0])};
  const bool wide = q.in[1].dtype == DType::i64;
  return plain_step(q, [rows, wide](const LaunchArgs& args) {
    wide ? gather_any<int64_t>(rows, args.in[0], args.in[1], args.out[0]) : gather_any<int32_t>(rows, args.in[0], args.in[1], args.out[0]);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_gather_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Gather, supports, prepare>>("cpu.gather"); }

}  // namespace onecard
