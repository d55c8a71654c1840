#pragma once
#include "lib/ops/recurrent.h"

namespace onecard {

// Whether the recurrence of the hidden gate is computed before the reset gate multiplies it, or after.
enum class ResetGate : uint8_t { before_linear, after_linear };
inline constexpr std::string_view kResetGateNames[] = {"before_linear", "after_linear"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<ResetGate>{kResetGateNames};

// ONNX GRU, gates z, r, h:  z = f(W x + R h), r = f(W x + R h), n = g(W x + R (r h)) or, with after_linear, g(W x + r (R h)),
// h = (1 - z) n + z h; biases as ONNX adds them. Inputs: x, w, r, b, sequence_lens, initial_h (from b on optional). Outputs: Y, Y_h.
struct Gru : OpBase<Gru> {
  static constexpr std::string_view kName = "gru";
  Direction direction = Direction::forward;
  SequenceLayout layout = SequenceLayout::time_first;
  std::vector<std::string> activations;
  std::vector<float> activation_alpha, activation_beta;
  float clip = 0;
  ResetGate reset_gate = ResetGate::before_linear;
  static constexpr auto kFields = std::tuple{field("direction", &Gru::direction), field("layout", &Gru::layout), field("activations", &Gru::activations),
      field("activation_alpha", &Gru::activation_alpha), field("activation_beta", &Gru::activation_beta), field("clip", &Gru::clip), field("reset_gate", &Gru::reset_gate)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
