#pragma once
#include "lib/cpu/integer_gemm.h"

namespace onecard {

// The form `fours` of integer_gemm.h. A panel is 32 columns: for each four of k 128 bytes, then the int32 sums of the columns.
bool has_fours();
int64_t packed_fours_bytes(int64_t k, int64_t n);
void pack_fours(const UnpackedBytes& b, int64_t k, int64_t n, void* packed);
int32_t sum_fours(const uint8_t* x, int64_t n);
void put_lines_of_fours(const ByteLines& x, ByteSign sign, uint8_t* to);
void multiply_fours(const LeftRows& rows, int64_t m, int64_t k, const void* panel, int32_t* c);

}  // namespace onecard
