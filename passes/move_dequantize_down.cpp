// move(dequantize(x)) => dequantize(move(x)); move(reinterpret(x)) => reinterpret(move(x)) where it makes bare integers
//   move only moves or chooses numbers: reshape, flatten, squeeze, unsqueeze, transpose, slice, split, gather, concat, pad, depth_to_space,
//   space_to_depth, max_pool, nearest resize. x is 8-bit with positive scales; the carriers of a concat are quantized alike; a pad's value
//   is exact in x's quantization.
#include <algorithm>
#include <cmath>

#include "lib/ops/data_ops.h"
#include "lib/ops/integer_range.h"
#include "lib/ops/quantize.h"
#include "lib/ops/reinterpret.h"
#include "passes/match.h"
#include "passes/movers.h"

namespace onecard {

namespace {

bool is_movable(const TensorType& x) {
  return x.quant && info(x.dtype).bits == 8 && std::all_of(x.quant->scale.begin(), x.quant->scale.end(), [](float s) { return s > 0; });
}

// What v stands for before the op of kind D, or null.
template <class D>
Value* source_of(const Value* v) {
  const Node* node = producer_of<D>(v);
  if (!node || !is_movable(node->inputs[0]->type)) return nullptr;
  if (const auto* bare = node->as<Reinterpret>(); bare && bare->quant) return nullptr;
  return node->inputs[0];
}

// The integer a pad of x writes for its value, or null when there is none.
template <class D>
Value* pad_code(Graph& graph, const Node& pad, const TensorType& x) {
  const Value* value = pad.input(2);
  std::optional<double> code = value ? scalar_of(value) : std::optional<double>(0);
  if (!code) return nullptr;
  if constexpr (std::is_same_v<D, Dequantize>) {
    if (x.quant->axis >= 0) return nullptr;
    const double steps = *code / static_cast<double>(x.quant->scale[0]);
    code = steps + x.quant->zero_point[0];
    const IntegerRange range = integer_range(x.dtype);
    if (std::nearbyint(steps) != steps || *code < static_cast<double>(range.low) || *code > static_cast<double>(range.high)) return nullptr;
  }
  Tensor t(x.dtype, Dims{});
  t.set_int(0, static_cast<int64_t>(*code));
  return graph.add_constant(graph.unique(pad.output()->name + "_value"), std::move(t));
}

template <class D>
bool move_down(Graph& graph, Node& node) {
  const size_t count = carriers(node);
  std::vector<Value*> in = node.inputs;
  for (size_t i = 0; i < count; ++i)
    if (!(in[i] = in[i] ? source_of<D>(in[i]) : nullptr)) return false;
  if (count == 0) return false;
  if (const auto* pad = node.as<Pad>(); pad && pad->mode == PadMode::constant) {
    in.resize(std::max<size_t>(in.size(), 3), nullptr);
    if (!(in[2] = pad_code<D>(graph, node, in[0]->type))) return false;
  }
  const auto type = inferred(*node.op, in);
  if (!type || !type->quant || type->dtype != in[0]->type.dtype) return false;
  const Node& moved = graph.add_before(node, node.op, in, node.output()->name);
  for (size_t i = 0; i < node.outputs.size(); ++i)
    take_over(graph, node.outputs[i], graph.add_before(node, std::make_shared<const D>(), {moved.outputs[i]}, node.outputs[i]->name).output());
  return true;
}

bool rule(Graph& graph, Node& node, const Op&) { return move_down<Dequantize>(graph, node) || move_down<Reinterpret>(graph, node); }

}  // namespace

int64_t move_dequantize_down(Graph& graph, PassContext&) { return rewrite_each<Op>(graph, rule); }

}  // namespace onecard
