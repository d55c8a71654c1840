#pragma once
#include "lib/cpu/integer_product.h"

namespace onecard {

// The constant right operand of an integer product: i8 or u8, one scale and zero point or one per index of an axis.
struct ByteWeights {
  DType dtype = DType::i8;
  std::vector<float> scale;   // one per column
  std::vector<int32_t> zero;  // per column as packed, padded; empty: zeros
  int64_t reach = 0;          // no |w - zero point| is larger
};
// None unless quantized so, per tensor or along `axis`, whose extent is `columns`.
std::optional<ByteWeights> byte_weights(const TensorType& w, int64_t axis, int64_t columns);

// Whether k products of x - zero with such weights cannot leave int32, where no |x - zero| is larger than `x_reach`.
Support sums_fit(int64_t x_reach, const ByteWeights& w, int64_t k);
// That of a type quantized per tensor, and of bytes whose zero point is one of them.
int64_t code_reach(const TensorType& x);
constexpr int64_t kByteReach = 255;

// Where the op says so (integer_sum.h), finishes by rescaling: `scale`, w's, becomes the factors and the bias stays as it is stored. Else
// `scale` is multiplied by x's and `more`. The weights are input 1, its channels lie along `channel_axis`; the residual is input 3.
void finish_scales(IntegerFinish& finish, std::vector<float>& scale, const KernelQuery& q, int64_t channel_axis, float more = 1);
// The bias, input `index`, as f32 (or as stored, where the finish takes it so): what a launch finds in its argument, which is packed where the
// constant is an integer that stands for it.
Support integer_bias_fits(const KernelQuery& q, size_t index);
void bind_integer_bias(Step& step, const KernelQuery& q, size_t index, const IntegerFinish& finish);

}  // namespace onecard
