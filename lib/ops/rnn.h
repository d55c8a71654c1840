#pragma once
#include "lib/ops/recurrent.h"

namespace onecard {

// ONNX RNN: h = f(W x + Wb + R h + Rb). Inputs: x, w, r, b, sequence_lens, initial_h (from b on optional). Outputs: Y, Y_h.
struct Rnn : OpBase<Rnn> {
  static constexpr std::string_view kName = "rnn";
  Direction direction = Direction::forward;
  SequenceLayout layout = SequenceLayout::time_first;
  std::vector<std::string> activations;
  std::vector<float> activation_alpha, activation_beta;
  float clip = 0;
  static constexpr auto kFields = std::tuple{field("direction", &Rnn::direction), field("layout", &Rnn::layout), field("activations", &Rnn::activations),
      field("activation_alpha", &Rnn::activation_alpha), field("activation_beta", &Rnn::activation_beta), field("clip", &Rnn::clip)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
