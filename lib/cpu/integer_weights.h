#pragma once
#include "lib/cpu/integer_product.h"

namespace onecard {

// The constant right operand of an integer product: i8 or u8, one scale and zero point or one per index of an axis.
struct ByteWeights {
  DType dtype = DType::i8;
  std::vector<float> scale;   // one per column
  std::vector<int32_t> zero;  // per column as packed, padded; empty: zeros
  int32_t reach = 0;          // no |w - zero point| is larger
};
// None unless quantized so, per tensor or along `axis`, whose extent is `columns`.
std::optional<ByteWeights> byte_weights(const TensorType& w, int64_t axis, int64_t columns);

// Whether k products of x - zero with such weights cannot leave int32.
Support sums_fit(const TensorType& x, const ByteWeights& w, int64_t k);

// The bias, input `index`, as f32: what a launch finds in its argument, which is packed where the constant is an integer that stands for it.
Support integer_bias_fits(const KernelQuery& q, size_t index);
void bind_integer_bias(Step& step, const KernelQuery& q, size_t index);

}  // namespace onecard
