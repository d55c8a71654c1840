#pragma once
#include <array>
#include <optional>

#include "cuda/anywhere.h"
#include "cuda/step.h"

namespace onecard::cuda {

// Division of 0 <= n < 2^31 by a fixed positive number as a product and a shift (Granlund and Montgomery, 1994).
struct Divider {
  int divisor = 1;
  uint32_t magic = 0x80000001u;
  int shift = 31;
  Divider() = default;
  explicit Divider(int64_t d) : divisor(static_cast<int>(d < 1 ? 1 : d)) {
    int bits = 0;
    while ((int64_t{1} << bits) < divisor) ++bits;
    shift = 31 + bits;
    magic = static_cast<uint32_t>((uint64_t{1} << shift) / static_cast<uint64_t>(divisor) + 1);
  }
  ANYWHERE int divide(int n) const { return static_cast<int>((static_cast<uint64_t>(static_cast<uint32_t>(n)) * magic) >> shift); }
  // n becomes the quotient; returns the remainder.
  ANYWHERE int cut(int& n) const {
    const int quotient = divide(n), rest = n - quotient * divisor;
    n = quotient;
    return rest;
  }
};

constexpr int kWalkAxes = 8;

// A row-major space read by N operands, each with its own strides.
template <int N>
struct Walk {
  int rank = 1, count = 0;
  Divider extent[kWalkAxes];
  int stride[N][kWalkAxes] = {};
  // at[n] = the offset of element i in operand n.
  ANYWHERE void offsets(int i, int (&at)[N]) const {
    for (int n = 0; n < N; ++n) at[n] = 0;
    for (int a = rank - 1; a > 0; --a) {
      const int index = extent[a].cut(i);
      for (int n = 0; n < N; ++n) at[n] += index * stride[n][a];
    }
    for (int n = 0; n < N; ++n) at[n] += i * stride[n][0];
  }
};

// Axes that all operands step through alike are merged; none when more than kWalkAxes are left.
template <int N>
std::optional<Walk<N>> make_walk(const Dims& extents, const std::array<Dims, N>& strides) {
  Walk<N> w;
  w.count = static_cast<int>(element_count(extents));
  int64_t size[kWalkAxes] = {};
  int rank = 0;
  for (size_t a = 0; a < extents.size(); ++a) {
    if (extents[a] == 1) continue;
    bool merges = rank > 0;
    for (size_t n = 0; n < N; ++n) merges = merges && w.stride[n][rank - 1] == strides[n][a] * extents[a];
    if (!merges && rank == kWalkAxes) return std::nullopt;
    const int at = merges ? rank - 1 : rank++;
    size[at] = merges ? size[at] * extents[a] : extents[a];
    for (size_t n = 0; n < N; ++n) w.stride[n][at] = static_cast<int>(strides[n][a]);
  }
  w.rank = rank < 1 ? 1 : rank;
  for (int a = 0; a < rank; ++a) w.extent[a] = Divider(size[a]);
  return w;
}

// Moves elements from one strided arrangement to another: every transpose, slice, cut, join and expansion is one of these.
class StridedCopy {
 public:
  // Strides in elements; those of the source may be 0 or negative. None when the axes do not collapse to kWalkAxes.
  static std::optional<StridedCopy> make(const Dims& extents, const Dims& from, const Dims& to, int element_bytes);
  // The pointers are those of the first element.
  void run(const void* from, void* to, void* queue) const;

 private:
  Walk<2> walk_;
  int bytes_ = 4;
};

}  // namespace onecard::cuda
