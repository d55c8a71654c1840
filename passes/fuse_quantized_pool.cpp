// quantize(average_pool(dequantize(x)), q) => average_pool(x) {output=q}; global_pool likewise
//   x is 8-bit with one scale, q 8-bit with one scale; the average is read by nothing else.
#include "lib/ops/pool.h"
#include "lib/ops/quantize.h"
#include "passes/match.h"

namespace onecard {

namespace {

template <class O>
bool fuse_into(Graph& graph, Node& node, const Quantize& op) {
  const Node* pool = sole_producer<O>(graph, node.inputs[0]);
  const Node* source = pool ? producer_of<Dequantize>(pool->inputs[0]) : nullptr;
  if (!source || info(source->inputs[0]->type.dtype).bits != 8) return false;
  O fused = *pool->as<O>();
  if (fused.fn != PoolFn::average && fused.fn != PoolFn::average_with_padding) return false;
  fused.output = op.quant;
  fused.output_dtype = op.dtype;
  return inferred(fused, {source->inputs[0]}) && replace_node(graph, node, std::move(fused), {source->inputs[0]});
}

bool rule(Graph& graph, Node& node, const Quantize& op) {
  if (!op.quant || op.quant->axis >= 0 || info(op.dtype).bits != 8) return false;
  return fuse_into<Pool>(graph, node, op) || fuse_into<GlobalPool>(graph, node, op);
}

}  // namespace

int64_t fuse_quantized_pool(Graph& graph, PassContext&) { return rewrite_each<Quantize>(graph, rule); }

}  // namespace onecard
