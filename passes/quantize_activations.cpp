// conv(x, int8 w) => conv(quantize(x), int8 w); conv_transpose, matmul likewise
//   context.activations asks for it and context.ranges knows x: u8 with scale max / 255 where x is never negative, else i8 with
//   scale max|x| / 127, zero points 0. One quantize serves every node that reads x.
#include <algorithm>
#include <cmath>

#include "lib/ops/quantize.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {

// Nothing when the range is not one of finite numbers.
std::optional<Quantize> quantize_for(const ValueRange& range) {
  if (!std::isfinite(range.min) || !std::isfinite(range.max) || range.min > range.max) return std::nullopt;
  const bool never_negative = range.min >= 0;
  const float scale = never_negative ? range.max / 255.0f : std::max(std::abs(range.min), std::abs(range.max)) / 127.0f;
  auto quant = std::make_shared<Quantization>();
  quant->scale = {std::isnormal(scale) ? scale : 1.0f};
  Quantize op;
  op.dtype = never_negative ? DType::u8 : DType::i8;
  op.quant = std::move(quant);
  return op;
}

}  // namespace

int64_t quantize_activations(Graph& graph, PassContext& context) {
  if (context.activations != ActivationPrecision::int8) return 0;
  int64_t changes = 0;
  std::map<const Value*, Value*> made;                // looked up, never iterated
  for (Node& node : graph.nodes()) {
    if (!channel_view(node) || !node.inputs[1]->type.quant || node.inputs[1]->type.dtype != DType::i8) continue;
    Value* x = node.inputs[0];
    if (x->type.quant || x->type.dtype != DType::f32 || x->constant) continue;
    const auto range = context.ranges.find(x->name);
    const auto op = range == context.ranges.end() ? std::nullopt : quantize_for(range->second);
    if (!op) continue;
    std::vector<Value*> in = node.inputs;
    Value*& quantized = made[x];
    if (!quantized) quantized = graph.add_before(node, std::make_shared<const Quantize>(*op), {x}, x->name + ".int8").output();
    in[0] = quantized;
    const auto type = inferred(*node.op, in);
    if (type && type->dtype == node.output()->type.dtype) changes += replace_inputs(graph, node, std::move(in));
  }
  graph.erase_dead();
  return changes;
}

}  // namespace onecard
