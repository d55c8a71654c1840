#pragma once
#include "lib/cpu/matmul_shapes.h"
#include "lib/cpu/sparse_panels.h"
#include "lib/device/kernel.h"

namespace onecard {

// Where a product of few rows with a constant that is partly zero is read faster without its zeros.
struct SparseRule {
  int64_t fewest_bytes = 0;  // of the constant with its zeros
  int64_t most_rows = 0;
  double fewest_zeros = 0;  // share of its elements
};

MatMulShapes sparse_shapes(const MatMul& op, const KernelQuery& q);
// Whether this is one matrix, its rows as they lie, times a constant one, within the rule as far as shapes tell.
Support sparse_shapes_fit(const MatMul& op, const KernelQuery& q, const SparseRule& rule);
// Whether so many nonzeros (nothing: not known) are within it.
Support sparse_share_fits(std::optional<int64_t> nonzeros, int64_t elements, const SparseRule& rule);
SparseSource sparse_source(const MatMulShapes& s);

}  // namespace onecard
