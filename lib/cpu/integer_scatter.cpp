#include "lib/cpu/integer_scatter.h"

#include <algorithm>

#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/integer_scatter.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
HWY_INLINE HWY_ATTR void add_vector(D d, const int32_t* from, int32_t* to) {
  hn::StoreU(hn::Add(hn::LoadU(d, to), hn::LoadU(d, from)), d, to);
}

HWY_INLINE HWY_ATTR void add_line(const int32_t* HWY_RESTRICT from, int64_t n, int32_t* HWY_RESTRICT to) {
  const hn::ScalableTag<int32_t> d;
  const hn::CappedTag<int32_t, 4> few;
  const auto step = static_cast<int64_t>(hn::Lanes(d)), small = static_cast<int64_t>(hn::Lanes(few));
  int64_t i = 0;
  for (; i + step <= n; i += step) add_vector(d, from + i, to + i);
  for (; i + small <= n; i += small) add_vector(few, from + i, to + i);
  for (; i < n; ++i) to[i] += from[i];
}

HWY_ATTR void scatter(const ScatteredRows& from, int32_t* to, int64_t size) {
  int64_t at = from.first;
  const int32_t* sums = from.sums;
  for (int64_t i = 0; i < from.rows; ++i, at += from.step, sums += from.pitch) {
    const int64_t low = std::max<int64_t>(-at, 0), high = std::min(from.count, size - at);
    if (low < high) add_line(sums + low, high - low, to + at + low);
  }
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(scatter);

void scatter_rows(const ScatteredRows& from, int32_t* to, int64_t size) { HWY_DYNAMIC_DISPATCH(scatter)(from, to, size); }

}  // namespace onecard
#endif
