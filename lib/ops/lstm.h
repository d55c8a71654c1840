#pragma once
#include "lib/ops/recurrent.h"

namespace onecard {

// Whether the forget gate is the complement of the input gate.
enum class ForgetGate : uint8_t { own, coupled };
inline constexpr std::string_view kForgetGateNames[] = {"own", "coupled"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<ForgetGate>{kForgetGateNames};

// ONNX LSTM, gates i, o, f, c with peepholes p:  i = f(W x + R h + p c), f = f(W x + R h + p c), g = g(W x + R h), c = f c + i g,
// o = f(W x + R h + p c), h = o h(c). Inputs: x, w, r, b, sequence_lens, initial_h, initial_c, p (from b on optional). Outputs: Y, Y_h, Y_c.
struct Lstm : OpBase<Lstm> {
  static constexpr std::string_view kName = "lstm";
  Direction direction = Direction::forward;
  SequenceLayout layout = SequenceLayout::time_first;
  std::vector<std::string> activations;
  std::vector<float> activation_alpha, activation_beta;
  float clip = 0;
  ForgetGate forget_gate = ForgetGate::own;
  static constexpr auto kFields = std::tuple{field("direction", &Lstm::direction), field("layout", &Lstm::layout), field("activations", &Lstm::activations),
      field("activation_alpha", &Lstm::activation_alpha), field("activation_beta", &Lstm::activation_beta), field("clip", &Lstm::clip), field("forget_gate", &Lstm::forget_gate)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
