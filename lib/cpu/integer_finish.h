#pragma once
#include "lib/cpu/float_rows.h"
#include "lib/cpu/onednn.h"
#include "lib/ops/epilogue.h"

namespace onecard {

// What becomes of a sum of integer products: sum * scale + bias, the epilogue in f32, and rounding where y is quantized; or, for i32, the sum.
enum class BiasUnits : uint8_t { real, sums /* int32, added to the sum before it is scaled */ };
struct IntegerFinish {
  DType y = DType::f32;     // f32, i8, u8 or i32
  PerTensor y_quant{1, 0};  // of i8 and u8
  BiasUnits bias = BiasUnits::real;
  Activation activation;
  AddOrder order = AddOrder::before_activation;
  DType residual = DType::f32;     // f32, i8 or u8
  PerTensor residual_quant{1, 0};  // of i8 and u8
};
// Whether y, residual and activation of a fused node are such.
Support integer_finish_fits(const KernelQuery& q, const Activation& activation, size_t residual_input);
IntegerFinish integer_finish(const KernelQuery& q, const Activation& activation, AddOrder order, size_t residual_input);

// Per column of one panel, readable for all its columns; null: 1, 0, 0. `zero` is the weights' zero point, not yet taken from the sums.
struct FinishColumns {
  const float *scale = nullptr, *bias = nullptr;  // bias holds the bits of int32 where it is in units of the sums
  const int32_t* zero = nullptr;
};
// Per row of a tile, of the left operand: the sum of its numbers, wanted where columns have zero points, and the scale of its codes (null: in
// that of the columns).
struct FinishRows {
  const int32_t* sums = nullptr;
  const float* scale = nullptr;
};
// Where the first element of a tile lies; rows are `stride` elements apart in y and residual (null: none).
struct FinishPlace {
  void* y = nullptr;
  const void* residual = nullptr;
  int64_t stride = 0;
};
// Finishes the first `columns` of a tile of panel rows, which is overwritten.
void finish_tile(const IntegerFinish& finish, const FinishColumns& at, const FinishRows& of, int32_t* tile, int64_t rows, int64_t columns,
                 const FinishPlace& place);

}  // namespace onecard
