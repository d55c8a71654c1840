#include "passes/norm_match.h"

#include <numeric>

#include "lib/ops/reduce.h"

namespace onecard {

namespace {

// What is under the root when v = sqrt(u) or u^0.5.
Value* root_of(const Graph& graph, const Value* v) {
  if (const Node* root = sole_unary(graph, v, Fn::sqrt)) return root->inputs[0];
  const Node* pow = sole_binary(graph, v, BinaryFn::pow);
  return pow && is_scalar(pow->inputs[1], 0.5) && same_rank(v, pow->inputs[0]) ? pow->inputs[0] : nullptr;
}

// What is under the root when v = 1 / sqrt(u) or u^-0.5.
Value* inverse_root_of(const Graph& graph, const Value* v) {
  if (const Node* inverse = sole_unary(graph, v, Fn::reciprocal)) return root_of(graph, inverse->inputs[0]);
  if (const Node* div = sole_binary(graph, v, BinaryFn::div)) return is_scalar(div->inputs[0], 1) && same_rank(v, div->inputs[1]) ? root_of(graph, div->inputs[1]) : nullptr;
  const Node* pow = sole_binary(graph, v, BinaryFn::pow);
  return pow && is_scalar(pow->inputs[1], -0.5) && same_rank(v, pow->inputs[0]) ? pow->inputs[0] : nullptr;
}

}  // namespace

std::optional<LastMean> last_mean(const Value* v) {
  const Node* node = producer_of<Reduce>(v);
  if (!node) return std::nullopt;
  const auto& op = *node->as<Reduce>();
  Value* x = node->inputs[0];
  if (op.fn != ReduceFn::mean || op.keep_dims != KeepDims::yes || !x->type.shape.has_rank()) return std::nullopt;
  const int64_t rank = x->type.shape.rank();
  std::vector<int64_t> axes;
  if (node->input(1)) {
    const auto given = ints_of(node->input(1));
    const auto front = given ? front_axes(*given, rank) : std::nullopt;
    if (!front) return std::nullopt;
    axes = *front;
  }
  if (axes.empty()) {
    if (op.when_no_axes == WhenNoAxes::nothing) return std::nullopt;
    axes.resize(static_cast<size_t>(rank));
    std::iota(axes.begin(), axes.end(), int64_t{0});
  }
  if (axes.empty() || axes.back() != rank - 1 || axes.front() != rank - static_cast<int64_t>(axes.size())) return std::nullopt;
  return LastMean{x, axes.front()};
}

std::optional<LastMean> last_mean_square(const Value* v) {
  const auto mean = last_mean(v);
  if (!mean) return std::nullopt;
  if (const Node* square = unary_of(mean->x, Fn::square)) return LastMean{square->inputs[0], mean->axis};
  const Node* node = producer_of<Binary>(mean->x);
  if (!node || !same_rank(mean->x, node->inputs[0])) return std::nullopt;
  const BinaryFn fn = node->as<Binary>()->fn;
  const bool squares = (fn == BinaryFn::pow && is_scalar(node->inputs[1], 2)) || (fn == BinaryFn::mul && node->inputs[0] == node->inputs[1]);
  return squares ? std::optional(LastMean{node->inputs[0], mean->axis}) : std::nullopt;
}

std::optional<Normalized> normalized(const Graph& graph, const Node& node) {
  const auto* op = node.as<Binary>();
  if (!op || !is_float(node.output()->type.dtype)) return std::nullopt;
  const auto finish = [&](Value* numerator, Value* under_root) -> std::optional<Normalized> {
    const auto sum = under_root && sole_producer<Binary>(graph, under_root) ? shifted_by(under_root) : std::nullopt;
    if (!sum || !(sum->number >= 0) || sum->number > 1) return std::nullopt;
    return Normalized{numerator, sum->x, static_cast<float>(sum->number)};
  };
  if (op->fn == BinaryFn::div) return finish(node.inputs[0], root_of(graph, node.inputs[1]));
  if (op->fn != BinaryFn::mul) return std::nullopt;
  for (size_t i = 0; i < 2; ++i)
    if (const auto found = finish(node.inputs[1 - i], inverse_root_of(graph, node.inputs[i]))) return found;
  return std::nullopt;
}

std::optional<Tensor> ones_from_axis(const TensorType& x, int64_t axis) {
  constexpr int64_t kMostOnes = 1 << 22;
  Dims dims;
  for (int64_t i = axis; i < x.shape.rank(); ++i) {
    if (!x.shape[i].is_number()) return std::nullopt;
    dims.push_back(x.shape[i].number());
  }
  if (element_count(dims) > kMostOnes) return std::nullopt;
  Tensor ones(x.dtype, dims);
  for (int64_t i = 0; i < ones.elements(); ++i) ones.set(i, 1);
  return ones;
}

bool spans_from_axis(const Value* v, const TensorType& x, int64_t axis) {
  const Shape& s = v->type.shape;
  if (v->type.dtype != x.dtype || v->type.quant || !s.has_rank()) return false;
  const int64_t spanned = x.shape.rank() - axis, lead = s.rank() - spanned;
  if (lead < 0 || s.rank() > x.shape.rank() || (lead > 0 && !v->constant)) return false;
  for (int64_t i = 0; i < lead; ++i)
    if (s[i].maybe() != 1) return false;
  for (int64_t i = 0; i < spanned; ++i)
    if (!same_size(s[lead + i], x.shape[axis + i])) return false;
  return true;
}

Value* without_leading_ones(Graph& graph, Value* v, const TensorType& x, int64_t axis) {
  const int64_t spanned = x.shape.rank() - axis;
  if (v->type.shape.rank() == spanned) return v;
  const ConstTensor t = materialize(v->constant);
  const Dims dims(t->dims().end() - static_cast<std::ptrdiff_t>(spanned), t->dims().end());
  return graph.add_constant(graph.unique(v->name), t->alias(TensorType(t->dtype(), Shape::of(dims))));
}

}  // namespace onecard
