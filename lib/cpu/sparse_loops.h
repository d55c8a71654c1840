#pragma once
#include <cstdint>

namespace onecard {

// The loops of sparse_panels.h, one file per instruction set; null where the compiler does not know it. `rows` is at most kSparseRows.
using SparseFloatLoop = void (*)(const uint16_t* bits, const float* values, int64_t k, const float* a, int64_t a_stride, int64_t rows, float* sums);
using SparseByteLoop = void (*)(const uint64_t* bits, const int8_t* values, int64_t fours, const uint8_t* a, int64_t a_stride, int64_t rows,
                                int32_t* sums, int64_t sums_stride);
SparseFloatLoop sparse_floats_avx2();
SparseFloatLoop sparse_floats_avx512();
SparseByteLoop sparse_bytes_avx512();

}  // namespace onecard
