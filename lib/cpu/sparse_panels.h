#pragma once
#include <cstdint>

namespace onecard {

// The constant right operand b[k, n] of a matrix product without its zeros. Panels of 16 columns lie behind each other; each is a bit for every
// element, of columns beyond n too, and its elements that are not 0, in the order of the bits. Floats: row by row, 16 bits each. Bytes: four rows at
// a time, 64 bits, the four elements of a column beside each other, as instructions that sum four products take them; rows beyond k are 0.
constexpr int64_t kSparseColumns = 16;

// Instruction sets that have a loop for it.
enum class SparseTarget : uint8_t { none, avx2, avx512 /* for bytes with VBMI2 and VNNI */ };
SparseTarget sparse_float_target();
SparseTarget sparse_byte_target();

// How b's elements lie: (i, j) at i * row_stride + j * column_stride.
struct SparseSource {
  int64_t k = 0, n = 0, row_stride = 0, column_stride = 0;
};

// Bytes of the packed forms of a b with so many elements of which some bit is set.
int64_t sparse_float_bytes(int64_t k, int64_t n, int64_t nonzeros);
int64_t sparse_byte_bytes(int64_t k, int64_t n, int64_t nonzeros);
void pack_sparse_floats(const float* b, const SparseSource& from, float factor, void* packed);
void pack_sparse_bytes(const int8_t* b, const SparseSource& from, void* packed);

// sums[i, 16] = a[i, :] @ panel of the packed b, for at most kSparseRows rows; every sum's order is fixed by k alone.
constexpr int64_t kSparseRows = 16;
void multiply_sparse_floats(SparseTarget target, const void* packed, int64_t k, int64_t n, int64_t panel, const float* a, int64_t a_stride,
                            int64_t rows, float* sums);
// The same of bytes, exact: a holds a's integers as u8 (those of i8 plus 128), readable up to a multiple of four; `zero` is what stands for 0 there.
// Row i of sums starts at sums + i * sums_stride.
void multiply_sparse_bytes(SparseTarget target, const void* packed, int64_t k, int64_t n, int64_t panel, const uint8_t* a, int64_t a_stride,
                           int32_t zero, int64_t rows, int32_t* sums, int64_t sums_stride);

}  // namespace onecard
