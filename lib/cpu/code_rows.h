#pragma once
#include "lib/ops/quantized_binary.h"

namespace onecard {

// Rows of 8-bit codes, for the instruction set of this processor. Signed codes are read and written as bytes with their top bit turned
// (flip 0x80), which makes them unsigned, 128 higher.

// real = ((code ^ flip) - zero) * scale; `zero` is that of the unsigned codes.
struct Codes {
  float scale = 1, zero = 0;
  uint8_t flip = 0;
  static Codes of(DType dtype, float scale, int32_t zero) {
    const bool is_signed = dtype == DType::i8;
    return {scale, static_cast<float>(zero + (is_signed ? 128 : 0)), static_cast<uint8_t>(is_signed ? 0x80 : 0)};
  }
};
// Bounds of a number before it is quantized.
struct Bounds {
  float low, high;
};

// y[i] = code of clamp(a[i * a_step] fn b[i * b_step]); steps are 0 or 1. Null: no such function.
using CodeBinaryRow = void (*)(const uint8_t* a, int64_t a_step, const Codes& qa, const uint8_t* b, int64_t b_step, const Codes& qb,
                               const Bounds& bounds, const Codes& qy, uint8_t* y, int64_t n);
CodeBinaryRow code_binary_row(BinaryFn fn);

// y[i] = code of sum(a[i * a_step], b[i * b_step]), of the codes as they are stored: those with flip 0x80 are signed.
struct CodeFlips {
  uint8_t a, b, y;
};
void code_sum_row(const SumOfCodes& sum, const CodeFlips& flips, const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step, uint8_t* y,
                  int64_t n);

// y[i] = saturate(round_half_even(x[i] / scale) + zero); NaN gives the code nearest to 0.
void quantize_row(const float* x, const Codes& q, uint8_t* y, int64_t n);
// y[i] = (x[i] - zero) * scale.
void dequantize_row(const uint8_t* x, const Codes& q, float* y, int64_t n);
// Least and greatest of x and 0.
Bounds range_with_zero(const float* x, int64_t n);

}  // namespace onecard
