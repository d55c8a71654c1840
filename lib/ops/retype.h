#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The same integers under another quantization: they stand for other real numbers. Input: x, of a quantized type. What a per-channel quantize
// leaves is read so with one scale, the channels' factors being in the weights that multiply it.
struct Retype : OpBase<Retype> {
  static constexpr std::string_view kName = "retype";
  QuantizationPtr quant;
  static constexpr auto kFields = std::tuple{field("quant", &Retype::quant)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
};

}  // namespace onecard
