// quantize(f(dequantize(x)), q) => lookup(x, table), table[c] = quantize(f(dequantize(c)), q) for the 256 values c
//   f is any chain of functions of one number: unary, binary with a number, or none at all (another quantization of the same numbers);
//   x is 8-bit with one scale, q is 8-bit with one scale. The table is computed by the definitions of the ops it replaces.
#include <cstring>

#include "lib/ops/lookup.h"
#include "lib/ops/quantize.h"
#include "passes/match.h"

namespace onecard {

namespace {

constexpr int kLongest = 16;  // links of a chain

// Which input of a node carries x when it is a function of one number with x's shape; nothing else.
std::optional<size_t> argument_of(const Node& node) {
  if (node.outputs.size() != 1 || node.output()->type.dtype != DType::f32) return std::nullopt;
  std::optional<size_t> at;
  if (node.as<Unary>()) at = 0;
  if (node.as<Binary>())
    for (size_t i = 0; i < 2; ++i)
      if (scalar_of(node.inputs[1 - i])) at = i;
  const bool same = at && node.inputs[*at]->type.dtype == DType::f32 && !node.inputs[*at]->type.quant &&
                    surely_same_shape(node.inputs[*at]->type.shape, node.output()->type.shape);
  return same ? at : std::nullopt;
}

Tensor all_codes(const TensorType& x) {
  Tensor codes(TensorType(x.dtype, Shape{256}, x.quant));
  for (int64_t i = 0; i < 256; ++i) codes.raw()[i] = static_cast<std::byte>(i);
  return codes;
}

// The results of the chain, given in order of application, for every code.
Tensor table_of(const TensorType& x, const std::vector<const Node*>& chain, const Quantize& op) {
  Tensor v = dequantize_tensor(all_codes(x));
  for (const Node* node : chain) {
    const size_t at = *argument_of(*node);
    Tensor number;
    std::vector<const Tensor*> in{&v};
    if (node->as<Binary>()) {
      number = materialize(node->inputs[1 - at]->constant)->alias(TensorType(DType::f32, Shape{}));
      in.insert(at == 0 ? in.end() : in.begin(), &number);
    }
    Tensor next = std::move(evaluate(*node->op, in)[0]);
    v = std::move(next);
  }
  return quantize_tensor(v, op.dtype, op.quant);
}

bool rule(Graph& graph, Node& node, const Quantize& op) {
  if (!op.quant || op.quant->axis >= 0 || info(op.dtype).bits != 8) return false;
  std::vector<const Node*> chain;
  const Value* v = node.inputs[0];
  for (; v->producer && !v->producer->as<Dequantize>(); v = v->producer->inputs[*argument_of(*v->producer)]) {
    if (chain.size() == kLongest || !argument_of(*v->producer)) return false;
    chain.insert(chain.begin(), v->producer);
  }
  const Node* source = producer_of<Dequantize>(v);
  if (!source) return false;
  Value* x = source->inputs[0];
  if (info(x->type.dtype).bits != 8 || x->type.quant->axis >= 0 || x->constant) return false;
  if (chain.empty() && x->type.dtype == op.dtype && *x->type.quant == *op.quant) return false;  // nothing to look up
  Value* table = graph.add_constant(graph.unique(node.output()->name + ".table"), table_of(x->type, chain, op));
  return replace_node(graph, node, Lookup(), {x, table});
}

}  // namespace

int64_t fuse_lookup(Graph& graph, PassContext&) { return rewrite_each<Quantize>(graph, rule); }

}  // namespace onecard
