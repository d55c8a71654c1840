#pragma once
#include <cstddef>
#include <cstdint>

namespace onecard {

// A product of f32 rows with a matrix w[k, n] of 4- or 8-bit integers, w = (code - zero) * scale, that is read as it is stored: with few rows its
// time is that of reading so many bytes. Columns lie in panels as wide as two vectors (panel_columns() of gemm.h), cut along k into blocks of one
// scale per column; a panel's block holds its scales, its zero points if any, and the codes of each of its k in turn.
struct CodedForm {
  int64_t k = 0, n = 0, block = 0;  // the last block may be shorter
  int64_t width = 0;                // columns of a panel
  int bits = 8;                     // 4: columns i and i + half a panel share byte i
  bool halves = false;              // scales in f16; else f32
  bool zeros = false;               // a zero point per block and column, one byte; else every one is `zero`
  bool is_signed = true;            // of bytes; four bits are stored from 0 to 15
  int32_t zero = 0;

  int64_t panels() const { return (n + width - 1) / width; }
  int64_t blocks() const { return (k + block - 1) / block; }
  int64_t head_bytes() const { return width * ((halves ? 2 : 4) + (zeros ? 1 : 0)); }
  int64_t row_bytes() const { return width * bits / 8; }
  int64_t panel_bytes() const { return blocks() * head_bytes() + k * row_bytes(); }
  bool corrects() const { return zeros || zero != 0; }  // the product needs the sums of blocks of its rows
};

// How many rows coded_rows multiplies at most in one go over a panel.
constexpr int64_t kCodedRows = 4;

// sums[row, block] of a[m, k], rows a_stride apart.
void block_sums(const CodedForm& form, const float* a, int64_t a_stride, int64_t m, float* sums);
// c[m, width] = factor * a[m, k] @ one panel, m up to kCodedRows; sums as of block_sums, or null where the form needs none.
void coded_rows(const CodedForm& form, const std::byte* panel, const float* a, int64_t a_stride, int64_t m, const float* sums, float factor,
                float* c);
// Rows [first, first + count) of a panel as factor * real numbers, [count, width].
void decode_rows(const CodedForm& form, const std::byte* panel, int64_t first, int64_t count, float factor, float* to);

}  // namespace onecard
