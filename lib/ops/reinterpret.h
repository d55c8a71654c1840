#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The same stored integers with another meaning: quantized by `quant`, or bare integers when there is none. Costs nothing to run.
struct Reinterpret : OpBase<Reinterpret> {
  static constexpr std::string_view kName = "reinterpret";
  QuantizationPtr quant;
  static constexpr auto kFields = std::tuple{field("quant", &Reinterpret::quant)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
};

}  // namespace onecard
