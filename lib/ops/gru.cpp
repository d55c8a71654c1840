#include "lib/ops/gru.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "GRU", 1}};
constexpr std::string_view kDefaults[] = {"Sigmoid", "Tanh"};

RecurrentFields fields_of(const Gru& op) { return {op.direction, op.layout, op.activations, op.activation_alpha, op.activation_beta, op.clip, kDefaults, 3}; }

}  // namespace

std::vector<TensorType> Gru::infer(const InferContext& in) const { return infer_recurrent(fields_of(*this), in, 1); }

void Gru::reference(Inputs in, Outputs out) const {
  run_recurrent(fields_of(*this), in, out, [this](RecurrentState& s) {
    const auto hidden = static_cast<int64_t>(s.h.size());
    const auto gate = [&](int64_t row) { return s.f[0](s.clipped(s.wx[row] + s.dot_r(row, s.h) + s.rb[row])); };
    std::vector<double> reset(s.h.size()), kept(s.h.size()), h(s.h.size());
    for (int64_t j = 0; j < hidden; ++j) {
      reset[static_cast<size_t>(j)] = gate(hidden + j);
      kept[static_cast<size_t>(j)] = reset[static_cast<size_t>(j)] * s.h[static_cast<size_t>(j)];
    }
    for (int64_t j = 0; j < hidden; ++j) {
      const auto i = static_cast<size_t>(j);
      const int64_t row = 2 * hidden + j;
      const double linear = reset_gate == ResetGate::after_linear ? reset[i] * (s.dot_r(row, s.h) + s.rb[row]) : s.dot_r(row, kept) + s.rb[row];
      const double z = gate(j), n = s.f[1](s.clipped(s.wx[row] + linear));
      h[i] = (1 - z) * n + z * s.h[i];
    }
    s.h = std::move(h);
  });
}

std::optional<OnnxForm> Gru::to_onnx(const Node& node) const {
  auto form = recurrent_form(*this, node, "GRU");
  if (form && reset_gate == ResetGate::after_linear) form->attributes["linear_before_reset"] = int64_t{1};
  return form;
}

const std::span<const OnnxName> Gru::kOnnx{kNames};

std::vector<Value*> Gru::from_onnx(const OnnxNode& node) {
  auto op = recurrent_op<Gru>(node);
  op.reset_gate = node.attr<int64_t>("linear_before_reset", 0) != 0 ? ResetGate::after_linear : ResetGate::before_linear;
  return node.add_all(std::move(op), trimmed_inputs(node));
}

DEFINE_OP(Gru)

}  // namespace onecard
