#include "lib/ops/lstm.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "LSTM", 1}};
constexpr std::string_view kDefaults[] = {"Sigmoid", "Tanh", "Tanh"};

RecurrentFields fields_of(const Lstm& op) { return {op.direction, op.layout, op.activations, op.activation_alpha, op.activation_beta, op.clip, kDefaults, 4}; }

}  // namespace

std::vector<TensorType> Lstm::infer(const InferContext& in) const { return infer_recurrent(fields_of(*this), in, 2); }

void Lstm::reference(Inputs in, Outputs out) const {
  run_recurrent(fields_of(*this), in, out, [this](RecurrentState& s) {
    const auto hidden = static_cast<int64_t>(s.h.size());
    std::vector<double> h(s.h.size()), c(s.h.size());
    // The peepholes are listed i, o, f, as the gates are.
    const auto sum = [&](int64_t gate, int64_t j, double cell) {
      const int64_t row = gate * hidden + j;
      return s.clipped(s.wx[row] + s.dot_r(row, s.h) + s.rb[row] + (s.p && gate < 3 ? s.p[row] * cell : 0.0));
    };
    for (int64_t j = 0; j < hidden; ++j) {
      const auto k = static_cast<size_t>(j);
      const double i = s.f[0](sum(0, j, s.c[k]));
      const double f = forget_gate == ForgetGate::coupled ? 1 - i : s.f[0](sum(2, j, s.c[k]));
      c[k] = f * s.c[k] + i * s.f[1](sum(3, j, 0));
      h[k] = s.f[0](sum(1, j, c[k])) * s.f[2](s.clipped(c[k]));
    }
    s.h = std::move(h);
    s.c = std::move(c);
  });
}

std::optional<OnnxForm> Lstm::to_onnx(const Node& node) const {
  auto form = recurrent_form(*this, node, "LSTM");
  if (form && forget_gate == ForgetGate::coupled) form->attributes["input_forget"] = int64_t{1};
  return form;
}

const std::span<const OnnxName> Lstm::kOnnx{kNames};

std::vector<Value*> Lstm::from_onnx(const OnnxNode& node) {
  auto op = recurrent_op<Lstm>(node);
  op.forget_gate = node.attr<int64_t>("input_forget", 0) != 0 ? ForgetGate::coupled : ForgetGate::own;
  return node.add_all(std::move(op), trimmed_inputs(node));
}

DEFINE_OP(Lstm)

}  // namespace onecard
