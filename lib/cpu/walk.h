#pragma once
#include <algorithm>
#include <array>
#include <optional>

#include "lib/cpu/plain_step.h"

namespace onecard {

constexpr int kWalkAxes = 8;

// A row-major space read by N operands, each with its own strides; axes that all operands step through alike are merged.
template <size_t N>
struct Walk {
  int rank = 0;  // >= 1
  std::array<int64_t, kWalkAxes> extents{};
  std::array<std::array<int64_t, kWalkAxes>, N> strides{};
  int64_t rows = 0;  // product of all extents but the last; 0 when the space is empty
  int64_t row() const { return extents[static_cast<size_t>(rank - 1)]; }
  int64_t row_stride(size_t n) const { return strides[n][static_cast<size_t>(rank - 1)]; }
};

// None when more than kWalkAxes axes are left.
template <size_t N>
std::optional<Walk<N>> make_walk(const Dims& extents, const std::array<Dims, N>& strides) {
  Walk<N> w;
  w.rows = 1;
  for (size_t a = 0; a < extents.size(); ++a) {
    const int64_t extent = extents[a];
    w.rows = extent == 0 ? 0 : w.rows;
    if (extent == 1) continue;
    const auto last = static_cast<size_t>(std::max(w.rank - 1, 0));
    bool merges = w.rank > 0;
    for (size_t n = 0; n < N; ++n) merges = merges && w.strides[n][last] == strides[n][a] * extent;
    if (!merges && w.rank == kWalkAxes) return std::nullopt;
    const size_t at = merges ? last : static_cast<size_t>(w.rank++);
    w.extents[at] = merges ? w.extents[at] * extent : extent;
    for (size_t n = 0; n < N; ++n) w.strides[n][at] = strides[n][a];
  }
  if (w.rank == 0) {
    w.rank = 1;
    w.extents[0] = 1;
    for (size_t n = 0; n < N; ++n) w.strides[n][0] = 1;
  }
  for (int a = 0; a + 1 < w.rank && w.rows > 0; ++a) w.rows *= w.extents[static_cast<size_t>(a)];
  return w;
}

// Calls row(first, at) for rows [begin, end) of all but the last axis: `first` is the row's number, at[n] its offset in operand n.
template <size_t N, class F>
void walk_rows(const Walk<N>& w, int64_t begin, int64_t end, const F& row) {
  std::array<int64_t, kWalkAxes> index{};
  std::array<int64_t, N> at{};
  int64_t rest = begin;
  for (int a = w.rank - 1; a-- > 0;) {
    const auto axis = static_cast<size_t>(a);
    index[axis] = rest % w.extents[axis];
    rest /= w.extents[axis];
    for (size_t n = 0; n < N; ++n) at[n] += index[axis] * w.strides[n][axis];
  }
  for (int64_t i = begin; i < end; ++i) {
    row(i, at);
    for (int a = w.rank - 1; a-- > 0;) {
      const auto axis = static_cast<size_t>(a);
      for (size_t n = 0; n < N; ++n) at[n] += w.strides[n][axis];
      if (++index[axis] < w.extents[axis]) break;
      for (size_t n = 0; n < N; ++n) at[n] -= w.extents[axis] * w.strides[n][axis];
      index[axis] = 0;
    }
  }
}

// Calls piece(at, count) over pieces of rows that cover the space, in parallel; `grain` elements are worth a thread.
template <size_t N, class F>
void walk_pieces(const Walk<N>& w, int64_t grain, const F& piece) {
  const int64_t row = w.row();
  if (w.rows == 0 || row == 0) return;
  const int64_t length = std::min(row, std::max<int64_t>(grain, 1)), per_row = (row + length - 1) / length;
  in_parallel(w.rows * per_row, std::max<int64_t>(grain / length, 1), [&](int64_t begin, int64_t end) {
    const int64_t first = begin / per_row, last = (end - 1) / per_row;
    walk_rows(w, first, last + 1, [&](int64_t r, std::array<int64_t, N> at) {
      const int64_t from = (r == first ? begin % per_row : 0) * length;
      const int64_t to = std::min(row, (r == last ? (end - 1) % per_row + 1 : per_row) * length);
      for (size_t n = 0; n < N; ++n) at[n] += from * w.row_stride(n);
      piece(at, to - from);
    });
  });
}

}  // namespace onecard
