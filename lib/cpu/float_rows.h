#pragma once
#include "lib/ops/activation.h"
#include "lib/ops/binary.h"

namespace onecard {

// Elementwise functions over one row of f32, for the instruction set of this processor.

// y[i] = a[i * a_step] fn b[i * b_step]; steps are 0 or 1; y holds floats, or bytes of 0 and 1 for comparisons. y may be a or b. Null: no such.
using BinaryRow = void (*)(const float* a, int64_t a_step, const float* b, int64_t b_step, void* y, int64_t n);
BinaryRow float_binary_row(BinaryFn fn);

// y[i] = f(x[i]); y may be x; isnan and isinf write bytes. Null: not among those written as loops here.
using UnaryRow = void (*)(const float* x, void* y, int64_t n, float alpha, float beta);
UnaryRow float_unary_row(Fn fn);

// Sums in double of one row: of x, |x|, x^2.
struct RowSums {
  double (*sum)(const float* x, int64_t n);
  double (*absolute)(const float* x, int64_t n);
  double (*square)(const float* x, int64_t n);
  double (*around)(const float* x, int64_t n, float center);                                                              // of (x - center)^2
  void (*scale)(const float* x, float center, float factor, const float* scale, const float* bias, float* y, int64_t n);  // either may be null
};
RowSums row_sums();

}  // namespace onecard
