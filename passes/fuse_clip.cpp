// min(max(x, a), b), max(x, a), min(x, b), clip(clip(x)), clip(relu(x)) => clip(x, a, b)
//   a, b scalars that do not enlarge x; an inner function is read by nothing else; a <= b.
#include <cmath>
#include <limits>

#include "passes/match.h"

namespace onecard {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Bounds {
  float low = -kInfinity, high = kInfinity;
};

std::optional<Bounds> bounds_of(const Activation& f) {
  if (f.fn == Fn::relu) return Bounds{0, kInfinity};
  if (f.fn == Fn::clip && f.alpha <= f.beta) return Bounds{f.alpha, f.beta};
  return std::nullopt;
}

Activation clip(const Bounds& b) {
  if (b.low == 0 && b.high == kInfinity) return {Fn::relu};
  return {Fn::clip, b.low, b.high};
}

bool rule_binary(Graph& graph, Node& node, const Binary& op) {
  if ((op.fn != BinaryFn::max && op.fn != BinaryFn::min) || !is_float(node.output()->type.dtype)) return false;
  for (size_t i = 0; i < 2; ++i) {
    const auto number = scalar_of(node.inputs[i]);
    Value* x = node.inputs[1 - i];
    if (!number || std::isnan(*number) || x->constant || !same_rank(x, node.output())) continue;
    const auto bound = static_cast<float>(*number);
    return replace_node(graph, node, Unary(clip(op.fn == BinaryFn::max ? Bounds{bound, kInfinity} : Bounds{-kInfinity, bound})), {x});
  }
  return false;
}

bool rule_unary(Graph& graph, Node& node, const Unary& op) {
  const auto outer = bounds_of(op.f);
  const Node* producer = outer ? sole_producer<Unary>(graph, node.inputs[0]) : nullptr;
  const auto inner = producer ? bounds_of(producer->as<Unary>()->f) : std::nullopt;
  if (!inner || outer->high < inner->low || outer->low > inner->high) return false;
  return replace_node(graph, node, Unary(clip({std::max(outer->low, inner->low), std::min(outer->high, inner->high)})), {producer->inputs[0]});
}

}  // namespace

int64_t fuse_clip(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule_binary) + rewrite_each<Unary>(graph, rule_unary); }

}  // namespace onecard
