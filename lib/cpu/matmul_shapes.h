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
// oneDNN's choice for these operands; a zero `bias`: none.
dnnl::matmul::primitive_desc make_matmul(const OneDnn& library, const dnnl::memory::desc& a, const dnnl::memory::desc& b,
                                         const dnnl::memory::desc& bias, const dnnl::memory::desc& y, const NamedAttr& attr);
MatMulShapes matmul_shapes(const MatMul& op, const Dims& a, const Dims& b, const std::optional<Dims>& bias);

}  // namespace onecard
