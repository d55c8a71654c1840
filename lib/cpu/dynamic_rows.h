#pragma once
#include "lib/cpu/integer_product.h"

namespace onecard {

// What every part of a real tensor is quantized by while it runs: parts of `part` elements, one after the other (lib/ops/dynamic_codes.h).
class DynamicParts {
 public:
  // `elements` and `part` are 1 or more.
  DynamicParts(int64_t elements, int64_t part);
  int64_t workspace_bytes() const;
  // Scales and zero points, in `space`, which `with` then refers to.
  void find(const float* x, void* space, IntegerOperands& with) const;
  // All codes, as u8, by what was found.
  void quantize(const float* x, const IntegerOperands& with, uint8_t* to) const;

 private:
  template <class F>
  void each_piece(const F& body) const;
  int64_t elements_, part_, parts_, pieces_;  // a part is looked at in so many pieces
};

// Rows of matrices of f32, which become codes on the way: element (i, j) of product p lies at offset[p] + i * row_stride + j. `sign` is not read.
std::shared_ptr<const IntegerRows> real_rows(ByteMatrices matrices, int64_t k);

}  // namespace onecard
