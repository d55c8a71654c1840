#pragma once
#include "lib/cpu/integer_product.h"
#include "lib/cpu/matmul_shapes.h"

namespace onecard {

// Whether the right operand is packed once, or at every launch.
enum class Packing { once, at_launch };
// Matrix products of bytes, y row-major; neither scales nor a finish are set.
IntegerProduct byte_matrix_product(const MatMulShapes& shapes, DType a, DType b, RowForm form, Packing packing);
// The left operands, of a's type.
ByteMatrices left_matrices(const MatMulShapes& shapes, DType a);
// Node input `index`, a constant, packed for that product.
PackedWeight packed_matrices(size_t index, const MatMulShapes& shapes, DType b, RowForm form);

}  // namespace onecard
