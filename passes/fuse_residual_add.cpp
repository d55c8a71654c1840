// conv(x, w, b) + r => conv(x, w, b, residual r), before the activation or after one it has already; matmul likewise
//   r has surely the shape and type of the result, which is float and read by nothing else. The fused node stands where the sum stood,
//   so r is ready.
#include "lib/ops/matmul.h"
#include "lib/ops/conv.h"
#include "passes/match.h"

namespace onecard {

namespace {

template <class O>
bool fuse_into(Graph& graph, Node& node, size_t i) {
  const Node* producer = sole_producer<O>(graph, node.inputs[i]);
  Value* residual = node.inputs[1 - i];
  if (!producer || producer->input(3) || producer->as<O>()->output) return false;
  const TensorType& y = producer->output()->type;
  if (residual->constant || residual->type.dtype != y.dtype || residual->type.quant || !surely_same_shape(residual->type.shape, y.shape)) return false;
  O fused = *producer->as<O>();
  fused.add_order = fused.activation.is_identity() ? AddOrder::before_activation : AddOrder::after_activation;
  std::vector<Value*> in = producer->inputs;
  in.resize(3, nullptr);
  in.push_back(residual);
  return replace_node(graph, node, std::move(fused), std::move(in));
}

bool rule(Graph& graph, Node& node, const Binary& op) {
  if (op.fn != BinaryFn::add || !is_float(node.output()->type.dtype) || node.inputs[0] == node.inputs[1]) return false;
  for (size_t i = 0; i < 2; ++i)
    if (fuse_into<Conv>(graph, node, i) || fuse_into<MatMul>(graph, node, i)) return true;
  return false;
}

}  // namespace

int64_t fuse_residual_add(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
