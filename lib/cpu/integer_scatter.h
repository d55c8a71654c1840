#pragma once
#include <cstdint>

namespace onecard {

// Rows of int32 sums, `pitch` elements apart, of which `count` columns are added to others: row i from element first + i * step on.
struct ScatteredRows {
  const int32_t* sums = nullptr;
  int64_t pitch = 0, rows = 0, count = 0, first = 0, step = 0;
};
// to[first + i * step + j] += sums[i * pitch + j] wherever that is one of `size` elements.
void scatter_rows(const ScatteredRows& from, int32_t* to, int64_t size);

}  // namespace onecard
