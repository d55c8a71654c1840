#pragma once
#include <cstdint>

namespace onecard {

// Exact products of 8-bit integers in int32, for one thread at a time. Left rows are widened to int16 less their zero point; the right
// operand is packed in panels of columns as int8, two neighbouring k beside each other, padded with zeros: pairs of int16 are multiplied
// and added to int32 in one instruction that cannot overflow, unlike the ones that take bytes. Both calls must come from one process.

// How bytes of either sign become int8: u8 is stored as w - 128.
enum class ByteSign : uint8_t { is_signed, is_unsigned };

int64_t integer_panel_columns();
// Bytes of b[k, n] packed.
int64_t packed_integer_bytes(int64_t k, int64_t n);
// Packs b[k, n], whose element (i, j) lies at b[i * row_stride + j * column_stride].
void pack_integers(const void* b, ByteSign sign, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, void* packed);

// to[i] = x[i] - zero.
void widen_integers(const void* x, ByteSign sign, int64_t n, int32_t zero, int16_t* to);
// Elements of a widened row of k, such that neighbouring rows do not fall on the same cache lines; those from k on must be 0 up to an even k.
int64_t widened_stride(int64_t k);
int32_t sum_integers(const int16_t* x, int64_t n);

// Elements of int16 that a product needs as scratch.
int64_t product_scratch();
// c[m, panel columns] = a[m, k] @ one panel.
void multiply_integers(const int16_t* a, int64_t a_stride, int64_t m, int64_t k, const void* panel, int16_t* scratch, int32_t* c);

}  // namespace onecard
