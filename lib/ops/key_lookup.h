#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The order of keys in lookups: ascending, NaN last and equal to itself.
template <class T>
bool key_less(const T& a, const T& b) {
  if constexpr (std::is_floating_point_v<T>)
    if (a != a || b != b) return a == a && b != b;
  return a < b;
}

// Keys as a tensor [n] of strings, i64, i32, i16, f32 or f64 in ascending order, and where each stood. Of equal keys the last one given stays, or
// the first.
enum class AmongEqualKeys : uint8_t { first, last };
struct SortedKeys {
  Tensor keys;
  std::vector<int64_t> places;
};
SortedKeys sort_keys(const Tensor& keys, AmongEqualKeys kept);
// The places in `keys` (as SortedKeys has them) of all elements of x, which has their type; -1 where there is none.
std::vector<int64_t> find_keys(const Tensor& keys, const Tensor& x);
// Whether keys may be of this type.
bool is_key_type(DType dtype);

}  // namespace onecard
