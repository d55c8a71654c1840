#pragma once
#include <cstdint>

namespace onecard {

// Exact products of 8-bit integers in int32, for one thread at a time. Left rows are in one of two forms; the right operand is packed for that
// form in panels of columns as int8, neighbouring k beside each other, padded with zeros. Calls that belong together must come from one process.
//   pairs: int16 less their zero point; two products at a time are added to int32 by an instruction that cannot overflow, on any processor
//   fours: u8 (i8 codes 128 higher) that still hold their zero point, which the sums of the weights' columns take out; four products at a
//          time, where the processor adds them without saturation (AVX512-VNNI)
enum class RowForm : uint8_t { pairs, fours };
// The faster one of this processor.
RowForm best_row_form();
inline int64_t element_bytes(RowForm form) { return form == RowForm::pairs ? 2 : 1; }

// How bytes of either sign become int8: u8 is stored as w - 128.
enum class ByteSign : uint8_t { is_signed, is_unsigned };

int64_t integer_panel_columns();
// Bytes of b[k, n] packed.
int64_t packed_integer_bytes(RowForm form, int64_t k, int64_t n);
// Packs b[k, n], whose element (i, j) lies at b[i * row_stride + j * column_stride].
struct UnpackedBytes {
  const void* data = nullptr;
  ByteSign sign = ByteSign::is_signed;
  int64_t row_stride = 0, column_stride = 1;
};
void pack_integers(RowForm form, const UnpackedBytes& b, int64_t k, int64_t n, void* packed);

// Codes as elements of left rows: x less its zero point in pairs, as u8 in fours, whose zero point is then row_zero.
void put_integers(RowForm form, const void* x, ByteSign sign, int64_t n, int32_t zero, void* to);
// The same for `count` lines of n codes, `stride` apart: they lie one behind the other in the row.
struct ByteLines {
  const void* data = nullptr;
  int64_t stride = 0, count = 0, n = 0;
};
void put_lines(RowForm form, const ByteLines& x, ByteSign sign, int32_t zero, void* to);
// n codes that stand for 0.
void put_zeros(RowForm form, int64_t n, int32_t row_zero, void* to);
inline int32_t row_zero(RowForm form, ByteSign sign, int32_t zero) {
  return form == RowForm::pairs ? 0 : sign == ByteSign::is_signed ? zero + 128 : zero;
}
// Elements of a left row of k, such that neighbouring rows do not fall on the same cache lines; those from k on are read but do not count.
int64_t left_row_stride(RowForm form, int64_t k);

// Left rows, `stride` elements apart. `zero` is the one each still holds (fours), unread for pairs.
struct LeftRows {
  const void* data = nullptr;
  int64_t stride = 0;
  const int32_t* zero = nullptr;
};
// The sum over row i, of n elements less their zero point.
int32_t sum_row(RowForm form, const LeftRows& rows, int64_t i, int64_t n);

// Elements of int16 that a product needs as scratch.
int64_t product_scratch();
// c[m, panel columns] = rows[m, k] @ one panel.
void multiply_integers(RowForm form, const LeftRows& rows, int64_t m, int64_t k, const void* panel, int16_t* scratch, int32_t* c);

}  // namespace onecard
