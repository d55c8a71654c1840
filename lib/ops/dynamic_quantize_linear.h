#pragma once
#include <span>

#include "lib/ops/registry.h"

namespace onecard {

// ONNX DynamicQuantizeLinear. Outputs: y u8, scale f32, zero point u8:
//   scale = (max(x, 0) - min(x, 0)) / 255 (1 where that is 0), zero = saturate(round(-min(x, 0) / scale)), y = saturate(round(x / scale) + zero).
struct DynamicQuantizeLinear : OpBase<DynamicQuantizeLinear> {
  static constexpr std::string_view kName = "dynamic_quantize_linear";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Scale and zero point for numbers of this range, which holds 0.
struct DynamicScale {
  float scale = 1;
  int32_t zero = 0;
};
DynamicScale dynamic_scale(float low, float high);
// The same for these numbers; NaN counts for nothing.
DynamicScale dynamic_scale_of(std::span<const float> x);
// The code of one number; NaN has code 0.
uint8_t dynamic_code(float x, const DynamicScale& scale);

}  // namespace onecard
