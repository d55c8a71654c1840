#pragma once
#include "lib/ops/dft.h"

namespace onecard {

// ONNX STFT: spectra of overlapping frames. Inputs: signal[B,L,1 or 2] (or [B,L]), frame_step, window (optional, 1-D), frame_length (optional).
// y[B, 1 + (L - frame_length) / frame_step, frequencies, 2]; frequencies = frame_length, or frame_length / 2 + 1 when one-sided.
struct Stft : OpBase<Stft> {
  static constexpr std::string_view kName = "stft";
  Sides sides = Sides::one;
  static constexpr auto kFields = std::tuple{field("sides", &Stft::sides)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
