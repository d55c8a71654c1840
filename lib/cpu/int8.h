#pragma once
#include "lib/cpu/onednn.h"
#include "lib/ops/activation.h"

namespace onecard {

// Whether integer products are summed without saturation on this processor.
Support int8_is_exact();
// y f32, or i8/u8 quantized per tensor.
Support int8_output_fits(const TensorType& y);
// No where the op asks for one rescale of the sums in f32 (integer_sum.h): oneDNN scales, adds and scales again. `channel_axis` is that of the
// weights, input 1; bias and residual are inputs 2 and 3.
Support scales_in_steps(const KernelQuery& q, const Activation& activation, int64_t channel_axis);
// Attributes of an integer convolution or product: run-time scales, and zero points where they are not 0.
NamedAttr int8_attr(const PerTensor& x, int w_mask, const TensorType& y, int32_t w_zero = 0);
// The values of those attributes.
void bind_int8(OneDnnStep& step, const PerTensor& x, const std::vector<float>& w_scales, const TensorType& y, int32_t w_zero = 0);

}  // namespace onecard
