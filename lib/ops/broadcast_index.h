#pragma once
#include <array>

#include "lib/base/parallel.h"
#include "lib/ir/type.h"

namespace onecard {

// Strides with which an operand of extents `dims` is read along the axes of `out`, aligned at the last axis: 0 where it is repeated.
// Raises model when the operand does not broadcast to `out`.
inline std::vector<int64_t> broadcast_strides(const Dims& dims, const Dims& out) {
  require(dims.size() <= out.size(), ErrorKind::model, "an operand of rank ", dims.size(), " does not broadcast to rank ", out.size());
  std::vector<int64_t> strides(out.size(), 0);
  int64_t stride = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    const size_t from = dims.size() - 1 - i, to = out.size() - 1 - i;
    require(dims[from] == out[to] || dims[from] == 1, ErrorKind::model, "extent ", dims[from], " does not broadcast to ", out[to]);
    if (dims[from] != 1) strides[to] = stride;
    stride *= dims[from];
  }
  return strides;
}

// Calls f(i, at) for every i in [begin, end) of a row-major space of extents `out`; at[n] is the offset under strides[n].
template <size_t N, class F>
void walk(const Dims& out, const std::array<std::vector<int64_t>, N>& strides, int64_t begin, int64_t end, F&& f) {
  if (begin >= end) return;
  const size_t rank = out.size();
  Dims index(rank, 0);
  std::array<int64_t, N> at{};
  int64_t rest = begin;
  for (size_t axis = rank; axis-- > 0;) {
    index[axis] = rest % out[axis];
    rest /= out[axis];
    for (size_t n = 0; n < N; ++n) at[n] += index[axis] * strides[n][axis];
  }
  for (int64_t i = begin;;) {
    f(i, at);
    if (++i == end) return;
    for (size_t axis = rank; axis-- > 0;) {
      for (size_t n = 0; n < N; ++n) at[n] += strides[n][axis];
      if (++index[axis] < out[axis]) break;
      for (size_t n = 0; n < N; ++n) at[n] -= out[axis] * strides[n][axis];
      index[axis] = 0;
    }
  }
}

// The same over the whole space with operands broadcast to it, pieces in parallel.
template <size_t N, class F>
void for_each_broadcast(const Dims& out, const std::array<Dims, N>& operands, F&& f) {
  std::array<std::vector<int64_t>, N> strides;
  for (size_t n = 0; n < N; ++n) strides[n] = broadcast_strides(operands[n], out);
  parallel_for(element_count(out), 8192, [&](int64_t begin, int64_t end) { walk(out, strides, begin, end, f); });
}

}  // namespace onecard
