#pragma once
#include <algorithm>

#include "lib/ir/dtype.h"

namespace onecard {

// The least and largest number an integer type of at most 32 bits holds, packed types included.
struct IntegerRange {
  int64_t low = 0, high = 0;
  // NaN becomes the number nearest to zero.
  int64_t saturate(double v) const {
    if (!(v == v)) return std::clamp<int64_t>(0, low, high);
    return static_cast<int64_t>(std::clamp(v, static_cast<double>(low), static_cast<double>(high)));
  }
};
inline IntegerRange integer_range(DType t) {
  const auto& row = info(t);
  require(is_integer(t) && row.bits <= 32, ErrorKind::model, info(t).name, " is no type to quantize to");
  if (row.kind == DKind::sint) return {-(int64_t{1} << (row.bits - 1)), (int64_t{1} << (row.bits - 1)) - 1};
  return {0, (int64_t{1} << row.bits) - 1};
}

}  // namespace onecard
