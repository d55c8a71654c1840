// cast(matmul_integer(q, w, z, zw)) * (s * sw) => matmul(x, w) {dynamic=tensor}        q, s, z = dynamic_quantize_linear(x)
// matmul(dequantize_linear(q, s, z), dequantize(w)) => matmul(x, w) {dynamic=tensor}        conv_integer, conv likewise
//   w is a constant of 8 bits; sw and zw are constants, one number or one per output channel (column); the integer sums are read by this
//   alone; the factors may stand in any order.
#include <algorithm>
#include <cmath>

#include "lib/ops/conv_integer.h"
#include "lib/ops/matmul.h"
#include "lib/ops/matmul_integer.h"
#include "lib/ops/quantize.h"
#include "lib/ops/quantize_linear.h"
#include "lib/ops/shape_ops.h"
#include "passes/linear_quantization.h"
#include "passes/weights.h"

namespace onecard {

namespace {

// What a dynamic_quantize_linear makes, if v is output `i` of one.
const Node* quantizer_of(const Value* v, size_t i) {
  const Node* node = producer_of<DynamicQuantizeLinear>(v);
  return node && node->outputs[i] == v ? node : nullptr;
}
bool made_by(const Value* v, const Node& quantizer, size_t i) { return quantizer_of(v, i) == &quantizer; }

// w as values of quantized type with factors and zero points of its channels, or null.
Value* typed_weight(Graph& graph, Node& at, Value* w, std::vector<float> scale, const Value* zero, int64_t axis) {
  const bool bytes = w->constant && !w->type.quant && w->type.is_static() && w->type.shape.rank() >= 2 && info(w->type.dtype).bits == 8;
  if (!bytes || !is_integer(w->type.dtype)) return nullptr;
  Quantization q;
  if (zero) {
    if (!zero->constant || zero->type.quant || zero->type.dtype != w->type.dtype || zero->constant->elements() == 0) return nullptr;
    const auto zeros = to_ints(*materialize(zero->constant));
    const bool same = std::all_of(zeros.begin(), zeros.end(), [&](int64_t z) { return z == zeros[0]; });
    q.zero_point.assign(zeros.begin(), same ? zeros.begin() + 1 : zeros.end());
  }
  if (q.zero_point.size() > 1 && scale.size() == 1) scale.resize(q.zero_point.size(), scale[0]);
  q.scale = std::move(scale);
  if (q.scale.size() > 1) q.axis = axis;
  const auto quant = std::make_shared<const Quantization>(std::move(q));
  try {
    require_quantization(w->type, w->type.dtype, *quant);
  } catch (const Error&) { return nullptr; }
  return with_quantization(graph, at, w, quant);
}

// The factors of a product: the cast of the sums, s, and numbers that lie along the channels.
struct Factors {
  const Node *sums = nullptr, *quantizer = nullptr;
  std::vector<float> numbers;  // one, or one per channel
};
template <class Integer>
std::optional<Factors> factors_of(const Graph& graph, const Node& node, int64_t rank, int64_t axis, int64_t channels) {
  const Product p = product_of(graph, node);
  Factors f;
  std::vector<double> numbers(static_cast<size_t>(channels), p.factor);
  bool each = false;
  for (Value* term : p.terms) {
    const Node* cast = producer_of<Cast>(term);
    const Node* sums = cast && cast->as<Cast>()->to == DType::f32 ? sole_producer<Integer>(graph, cast->inputs[0]) : nullptr;
    if (sums && !f.sums && term->users.size() == 1 && !graph.is_output(term)) f.sums = sums;
    else if (const Node* made = quantizer_of(term, 1); made && !f.quantizer) f.quantizer = made;
    else if (const auto along = term->constant ? per_channel(term, rank, axis, channels) : std::nullopt) {
      for (size_t i = 0; i < numbers.size(); ++i) numbers[i] *= (*along)[i];
      each = true;
    } else return std::nullopt;
  }
  if (!f.sums || !f.quantizer || channels < 1) return std::nullopt;
  f.numbers.assign(numbers.begin(), each ? numbers.end() : numbers.begin() + 1);
  return f;
}

template <class O>
bool replace(Graph& graph, Node& node, O op, const Node& quantizer, Value* w) {
  std::vector<Value*> in{quantizer.inputs[0], w};
  op.dynamic = Dynamic::tensor;
  const auto type = w ? inferred(op, in) : std::nullopt;
  return type && type->dtype == node.output()->type.dtype && replace_node(graph, node, std::move(op), std::move(in));
}

// Where the layer's output channels lie in its result and its weight.
struct Channels {
  int64_t result_axis, weight_axis;
};
Channels channels_of(const MatMulInteger&, int64_t y_rank, int64_t w_rank) { return {y_rank - 1, w_rank - 1}; }
Channels channels_of(const ConvInteger&, int64_t, int64_t) { return {1, 0}; }

MatMul layer_of(const MatMulInteger&) { return {}; }
Conv layer_of(const ConvInteger& op) {
  Conv conv;
  conv.strides = op.strides, conv.dilations = op.dilations, conv.pads = op.pads;
  conv.group = op.group, conv.auto_pad = op.auto_pad;
  return conv;
}

template <class Integer>
bool product_rule(Graph& graph, Node& node) {
  const Shape& y = node.output()->type.shape;
  if (node.output()->type.dtype != DType::f32 || !y.has_rank() || y.rank() < 2) return false;
  const int64_t result_axis = channels_of(Integer(), y.rank(), 2).result_axis;
  const auto count = y[result_axis].maybe();
  const auto f = count ? factors_of<Integer>(graph, node, y.rank(), result_axis, *count) : std::nullopt;
  if (!f || !same_rank(f->sums->output(), node.output()) || !made_by(f->sums->inputs[0], *f->quantizer, 0) ||
      !made_by(f->sums->input(2), *f->quantizer, 2))
    return false;
  Value* w = f->sums->inputs[1];
  if (!w->type.shape.has_rank() || !std::all_of(f->numbers.begin(), f->numbers.end(), [](float s) { return std::isfinite(s); })) return false;
  const int64_t axis = channels_of(Integer(), y.rank(), w->type.shape.rank()).weight_axis;
  return replace(graph, node, layer_of(*f->sums->template as<Integer>()), *f->quantizer, typed_weight(graph, node, w, f->numbers, f->sums->input(3), axis));
}

bool binary_rule(Graph& graph, Node& node, const Binary& op) {
  if (op.fn != BinaryFn::mul) return false;
  return product_rule<MatMulInteger>(graph, node) || product_rule<ConvInteger>(graph, node);
}

// The layer itself, between dequantized operands.
template <class O>
bool layer_rule(Graph& graph, Node& node, const O& op) {
  const Node *x = producer_of<DequantizeLinear>(node.inputs[0]), *w = producer_of<Dequantize>(node.inputs[1]);
  const Node* quantizer = x ? quantizer_of(x->inputs[0], 0) : nullptr;
  if (!quantizer || !w || !made_by(x->inputs[1], *quantizer, 1) || !made_by(x->input(2), *quantizer, 2)) return false;
  if (!w->inputs[0]->constant || op.dynamic != Dynamic::no) return false;
  O typed = op;
  typed.dynamic = Dynamic::tensor;
  std::vector<Value*> in = node.inputs;
  in[0] = quantizer->inputs[0];
  in[1] = w->inputs[0];
  const auto type = inferred(typed, in);
  return type && type->dtype == node.output()->type.dtype && replace_node(graph, node, std::move(typed), std::move(in));
}

}  // namespace

int64_t type_dynamic_layers(Graph& graph, PassContext&) {
  return rewrite_each<Binary>(graph, binary_rule) + rewrite_each<MatMul>(graph, layer_rule<MatMul>) + rewrite_each<Conv>(graph, layer_rule<Conv>);
}

}  // namespace onecard
