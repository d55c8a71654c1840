// f(conv(x, w, b)) => conv(x, w, b) {activation=f}; conv_transpose, matmul likewise
//   f is a function of real numbers; the result is float, read by nothing else, and has no activation yet; a residual is then added
//   before it.
#include <algorithm>
#include <iterator>

#include "lib/ops/conv_transpose.h"
#include "lib/ops/matmul.h"
#include "passes/match.h"

namespace onecard {

namespace {

// The functions networks end their layers with; others gain nothing by being fused.
bool is_activation(Fn fn) {
  constexpr Fn kActivations[] = {Fn::relu, Fn::leaky_relu, Fn::elu, Fn::selu, Fn::celu, Fn::sigmoid, Fn::hard_sigmoid, Fn::hard_swish, Fn::tanh, Fn::softplus,
                                 Fn::softsign, Fn::thresholded_relu, Fn::mish, Fn::gelu, Fn::gelu_tanh, Fn::silu, Fn::clip};
  return std::find(std::begin(kActivations), std::end(kActivations), fn) != std::end(kActivations);
}

template <class O>
bool fuse_into(Graph& graph, Node& node, const Activation& f) {
  const Node* producer = sole_producer<O>(graph, node.inputs[0]);
  if (!producer || !producer->as<O>()->activation.is_identity()) return false;
  O fused = *producer->as<O>();
  fused.activation = f;
  if constexpr (requires { fused.add_order; }) fused.add_order = AddOrder::before_activation;  // f of the sum, however it was written
  return replace_node(graph, node, std::move(fused), producer->inputs);
}

bool rule(Graph& graph, Node& node, const Unary& op) {
  if (!is_activation(op.f.fn) || !is_float(node.inputs[0]->type.dtype) || node.inputs[0]->type.quant) return false;
  return fuse_into<Conv>(graph, node, op.f) || fuse_into<ConvTranspose>(graph, node, op.f) || fuse_into<MatMul>(graph, node, op.f);
}

}  // namespace

int64_t fuse_activation(Graph& graph, PassContext&) { return rewrite_each<Unary>(graph, rule); }

}  // namespace onecard
