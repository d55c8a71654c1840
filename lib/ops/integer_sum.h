#pragma once
#include "lib/ops/activation.h"

namespace onecard {

// An exact integer sum of a layer whose result is quantized, rescaled to the result's codes in one step, as ONNX QLinearConv does:
//   y = saturate(round_half_even(f(sum * (x_scale * w_scale / y_scale))) + y_zero), every operation rounded to f32.
struct LayerTypes {
  const TensorType *x = nullptr, *w = nullptr, *bias = nullptr;  // bias may be null
  int64_t channel_axis = 0;                                      // of w
};
// Whether a layer is computed so: x has one scale, w one or one per channel, the bias is absent or i32 in units of their product, f is
// none or relu, and nothing real is added (no residual). Other quantized results are rounded from real numbers.
bool rescales_integers(const LayerTypes& types, const Activation& f, const QuantizationPtr& output);
// The factor for the channels with this scale of w.
inline float rescale_factor(float x_scale, float w_scale, float y_scale) { return x_scale * w_scale / y_scale; }
// The code, not yet saturated.
double rescaled(double sum, float factor, int32_t zero, const Activation& f);

}  // namespace onecard
