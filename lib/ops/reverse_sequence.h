#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// Reverses the first sequence_lens[b] elements along the time axis of every b of the batch axis; these are axes 0 and 1 in some order.
// Inputs: x, sequence_lens (i64 [batch]).
struct ReverseSequence : OpBase<ReverseSequence> {
  static constexpr std::string_view kName = "reverse_sequence";
  int64_t time_axis = 0;
  int64_t batch_axis = 1;
  static constexpr auto kFields = std::tuple{field("time_axis", &ReverseSequence::time_axis), field("batch_axis", &ReverseSequence::batch_axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
