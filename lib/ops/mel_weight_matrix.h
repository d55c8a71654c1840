#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX MelWeightMatrix [dft_length / 2 + 1, num_mel_bins]. Inputs, all scalars: num_mel_bins, dft_length, sample_rate, lower and upper edge
// in hertz.
struct MelWeightMatrix : OpBase<MelWeightMatrix> {
  static constexpr std::string_view kName = "mel_weight_matrix";
  DType dtype = DType::f32;
  static constexpr auto kFields = std::tuple{field("dtype", &MelWeightMatrix::dtype)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
