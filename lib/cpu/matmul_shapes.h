#pragma once
#include <optional>

#include "lib/cpu/epilogue.h"
#include "lib/ops/matmul.h"

namespace onecard {

// A matrix product as oneDNN wants it: equal ranks, transposes as strides, batch axes merged where that changes nothing.
struct MatMulShapes {
  Dims a, b, y;
  Dims a_strides, b_strides;
  Dims bias;                 // empty: none
  bool bias_is_row = false;  // one number per column, or one for all columns of one
  double flops = 0;
};
MatMulShapes matmul_shapes(const MatMul& op, const Dims& a, const Dims& b, const std::optional<Dims>& bias);

}  // namespace onecard
