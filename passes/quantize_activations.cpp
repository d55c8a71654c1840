// conv(x, int8 w) => conv(quantize(x), int8 w); conv_transpose, matmul likewise; lstm(x, dequantize(int8 w)) => lstm(dequantize(quantize(x)), ..)
//   context.activations asks for it and context.found or, failing that, context.ranges knows x: u8 with scale max / 255 where x is never
//   negative, else i8 with scale max|x| / 127, zero points 0. Divisors per channel are taken out by a quantize with one scale per channel,
//   whose integers are then read with one scale. Equal quantizations of one x are made once. f16 and bf16 are computed in f32 around them.
#include <algorithm>
#include <cmath>

#include "lib/ops/matmul.h"
#include "lib/ops/quantize.h"
#include "lib/ops/reinterpret.h"
#include "lib/ops/shape_ops.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {

// Nothing when the range is not one of finite numbers.
std::optional<SiteQuantization> from_range(const ValueRange& range) {
  if (!std::isfinite(range.min) || !std::isfinite(range.max) || range.min > range.max) return std::nullopt;
  const bool never_negative = range.min >= 0;
  const float scale = never_negative ? range.max / 255.0f : std::max(std::abs(range.min), std::abs(range.max)) / 127.0f;
  return SiteQuantization{never_negative ? DType::u8 : DType::i8, std::isnormal(scale) ? scale : 1.0f, {}};
}

std::optional<SiteQuantization> wanted_for(const PassContext& context, const Node& node) {
  if (const auto it = context.found.find(node.output()->name); it != context.found.end() && it->second.input) return it->second.input;
  const auto range = context.ranges.find(node.inputs[0]->name);
  return range == context.ranges.end() ? std::nullopt : from_range(range->second);
}

bool has_int8_weight(const Node& node) {
  if (is_recurrent(node)) {
    const Node* source = producer_of<Dequantize>(node.inputs[1]);
    return source && source->inputs[0]->constant && source->inputs[0]->type.dtype == DType::i8;
  }
  const TensorType& w = node.inputs.size() > 1 && node.inputs[1] ? node.inputs[1]->type : TensorType();
  return channel_view(node) && w.quant && w.quant->block == 0 && w.dtype == DType::i8;
}

Value* as_f32(Graph& graph, Node& at, Value* v) {
  if (!v || v->type.quant || v->type.dtype == DType::f32) return v;
  Cast cast;
  cast.to = DType::f32;
  return graph.add_before(at, std::make_shared<const Cast>(cast), {v}, v->name + ".f32").output();
}

QuantizationPtr with_scales(std::vector<float> scales, int64_t axis) {
  auto quant = std::make_shared<Quantization>();
  quant->scale = std::move(scales);
  quant->axis = axis;
  return quant;
}

// The values quantized so far, of which equal ones are shared.
class Quantized {
 public:
  // Nothing when x has not as many channels as there are divisors.
  Value* get(Graph& graph, Node& at, Value* x, const SiteQuantization& site) {
    const int64_t axis = at.as<MatMul>() || is_recurrent(at) ? (x->type.shape.has_rank() ? x->type.shape.rank() - 1 : -1) : 1;
    for (const auto& [source, along, how, value] : made_)
      if (source == x && how == site && (along == axis || site.divisor.empty())) return value;
    Quantize op;
    op.dtype = site.dtype;
    std::vector<float> scales{site.scale};
    if (!site.divisor.empty()) {
      if (axis < 0 || !x->type.shape.has_rank()) return nullptr;
      scales.clear();
      for (const float d : site.divisor) scales.push_back(site.scale * d);
    }
    op.quant = with_scales(std::move(scales), site.divisor.empty() ? -1 : axis);
    Value* from = as_f32(graph, at, x);
    if (!inferred(op, {from})) return nullptr;
    Value* v = graph.add_before(at, std::make_shared<const Quantize>(op), {from}, x->name + ".int8").output();
    if (!site.divisor.empty()) {
      Reinterpret reinterpret;
      reinterpret.quant = with_scales({site.scale}, -1);
      v = graph.add_before(at, std::make_shared<const Reinterpret>(reinterpret), {v}, x->name + ".int8").output();
    }
    made_.push_back({x, axis, site, v});
    return v;
  }

 private:
  struct Made {
    const Value* source;
    int64_t axis;
    SiteQuantization how;
    Value* value;
  };
  std::vector<Made> made_;
};

bool quantize_input(Graph& graph, Node& node, const SiteQuantization& site, Quantized& quantized) {
  const DType was = node.inputs[0]->type.dtype;
  if (is_recurrent(node) && was != DType::f32) return false;
  Value* x = quantized.get(graph, node, node.inputs[0], site);
  if (!x) return false;
  std::vector<Value*> in = node.inputs;
  if (is_recurrent(node)) {
    in[0] = emit(graph, node, Dequantize{}, {x});
    graph.set_inputs(node, std::move(in));
    return true;
  }
  in[0] = x;
  for (size_t i = 2; i < in.size(); ++i) in[i] = as_f32(graph, node, in[i]);
  const auto type = inferred(*node.op, in);
  if (!type || type->dtype != DType::f32) return false;
  if (was == DType::f32) return replace_inputs(graph, node, std::move(in));
  Cast back;
  back.to = was;
  Value* sum = graph.add_before(node, node.op, std::move(in), node.output()->name + ".f32").output();
  return replace_node(graph, node, back, {sum});
}

}  // namespace

int64_t quantize_activations(Graph& graph, PassContext& context) {
  if (context.activations != ActivationPrecision::int8) return 0;
  int64_t changes = 0;
  Quantized quantized;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it++;
    if (node.inputs.empty() || node.outputs.empty() || !has_int8_weight(node)) continue;
    const Value* x = node.inputs[0];
    if (!x || x->type.quant || x->constant || !is_float(x->type.dtype) || x->type.dtype == DType::f64) continue;
    if (const auto site = wanted_for(context, node)) changes += quantize_input(graph, node, *site, quantized);
  }
  graph.erase_dead();
  return changes;
}

}  // namespace onecard
