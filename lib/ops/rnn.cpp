#include "lib/ops/rnn.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "RNN", 1}};
constexpr std::string_view kDefaults[] = {"Tanh"};

RecurrentFields fields_of(const Rnn& op) { return {op.direction, op.layout, op.activations, op.activation_alpha, op.activation_beta, op.clip, kDefaults, 1}; }

}  // namespace

std::vector<TensorType> Rnn::infer(const InferContext& in) const { return infer_recurrent(fields_of(*this), in, 1); }

void Rnn::reference(Inputs in, Outputs out) const {
  run_recurrent(fields_of(*this), in, out, [](RecurrentState& s) {
    std::vector<double> h(s.h.size());
    for (size_t j = 0; j < h.size(); ++j) {
      const auto row = static_cast<int64_t>(j);
      h[j] = s.f[0](s.clipped(s.wx[row] + s.dot_r(row, s.h) + s.rb[row]));
    }
    s.h = std::move(h);
  });
}

std::optional<OnnxForm> Rnn::to_onnx(const Node& node) const {
  return recurrent_form(*this, node, "RNN");
}

const std::span<const OnnxName> Rnn::kOnnx{kNames};

std::vector<Value*> Rnn::from_onnx(const OnnxNode& node) {
  return node.add_all(recurrent_op<Rnn>(node), trimmed_inputs(node));
}

DEFINE_OP(Rnn)

}  // namespace onecard
