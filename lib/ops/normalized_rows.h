#pragma once
#include "lib/ops/operands.h"

namespace onecard {

// Refuses a scale or bias that does not broadcast to x without making it larger.
void require_broadcasts_to(const TensorType& x, const TensorType& parameter, const char* name);

// A normalization of rows: y = (x - shift) * factor, one of each per row.
struct RowStatistics {
  std::vector<double> shift, factor;
};
// y = (x - shift) * factor * scale + bias for rows of `length` elements; bias may be null. y has x's extents.
void write_normalized(const Tensor& x, int64_t length, const RowStatistics& rows, const Tensor& scale, const Tensor* bias, Tensor& y);
// The product of the extents from `axis` on.
int64_t row_length(const Dims& dims, int64_t axis);
// The axes from `axis` to the last one, as reductions take them; raises model when neither the rank is known nor the axis negative.
std::vector<int64_t> axes_from(const Shape& x, int64_t axis);

}  // namespace onecard
