// conv(x, w) => conv(x, q), q = round(w / s) as i8, s = max|w| / 127 per output channel; conv_transpose, matmul likewise
//   context.weights asks for it; w is a constant f32 of finite numbers; layers named in context.skip_layers and filter banks stay. A grouped transposed
//   convolution has no axis of output channels: one scale. A weight shared by nodes with the same axis stays shared.
#include <algorithm>
#include <cmath>

#include "lib/ops/quantize.h"
#include "passes/filter_bank.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {

// One scale per channel, or one when `axis` is -1; nothing when the weight is not finite.
QuantizationPtr symmetric_int8(const Tensor& w, const ChannelView& view, int64_t axis) {
  std::vector<float> top(static_cast<size_t>(axis < 0 ? 1 : view.channels()), 0.0f);
  const auto values = w.data<float>();
  size_t i = 0;
  bool finite = true;
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t e = 0; e < view.extent; ++e) {
      float& most = top[axis < 0 ? 0 : static_cast<size_t>(view.channel(o, e))];
      for (int64_t k = 0; k < view.inner; ++k, ++i) {
        finite = finite && std::isfinite(values[i]);
        most = std::max(most, std::abs(values[i]));
      }
    }
  if (!finite) return nullptr;
  auto quant = std::make_shared<Quantization>();
  quant->axis = axis;
  quant->scale.clear();
  for (const float most : top) {
    const float scale = most / 127.0f;
    quant->scale.push_back(std::isnormal(scale) ? scale : 1.0f);
  }
  return quant;
}

bool stays_float(const PassContext& context, const Node& node) {
  return std::find(context.skip_layers.begin(), context.skip_layers.end(), node.output()->name) != context.skip_layers.end();
}

}  // namespace

int64_t quantize_weights(Graph& graph, PassContext& context) {
  if (context.weights != WeightPrecision::int8) return 0;
  int64_t changes = 0;
  std::map<std::pair<const Tensor*, int64_t>, Value*> made;  // by source and axis: looked up, never iterated
  std::vector<ConstTensor> held;                      // keeps the keys of `made` from being reused
  for (Node& node : graph.nodes()) {
    const auto view = channel_view(node);
    if (!view || stays_float(context, node) || is_filter_bank(node)) continue;
    Value* w = node.inputs[1];
    if (w->type.quant || w->type.dtype != DType::f32 || node.inputs[0]->type.quant || node.inputs[0]->type.dtype != DType::f32) continue;
    const int64_t axis = channel_axis(node).value_or(-1);
    Value*& quantized = made[{w->constant.get(), axis}];
    if (!quantized) {
      const ConstTensor source = materialize(w->constant);
      const QuantizationPtr quant = symmetric_int8(*source, *view, axis);
      if (!quant) continue;
      quantized = graph.add_constant(graph.unique(w->name + ".int8"), quantize_tensor(*source, DType::i8, quant));
      held.push_back(w->constant);
    }
    std::vector<Value*> in = node.inputs;
    in[1] = quantized;
    const auto type = inferred(*node.op, in);
    if (type && type->dtype == node.output()->type.dtype) changes += replace_inputs(graph, node, std::move(in));
  }
  graph.erase_dead();
  return changes;
}

}  // namespace onecard
