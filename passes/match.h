#pragma once
#include <array>
#include <optional>
#include <vector>

#include "lib/ops/binary.h"
#include "lib/ops/unary.h"
#include "passes/pass.h"

namespace onecard {

// The only element of a constant of plain numbers, or nothing.
std::optional<double> scalar_of(const Value* v);
// Whether two numbers are the same but for rounding to `dtype`.
bool same_number(double a, double b, DType dtype);
// Whether v is a constant of one element that is `expected`, but for rounding.
bool is_scalar(const Value* v, double expected);
// All elements of an integer value known now (a constant, or contents that are all numbers), at most 1,024.
std::optional<std::vector<int64_t>> ints_of(const Value* v);
// Whether a constant of plain numbers holds `expected` everywhere.
bool all_elements_are(const Value* v, double expected);

// Whether both shapes are surely the same.
bool surely_same_shape(const Shape& a, const Shape& b);
// Whether broadcasting `small` with `big` surely gives big's shape.
bool broadcasts_into(const Shape& small, const Shape& big);
bool same_rank(const Value* a, const Value* b);
// Axes counted from the front; nothing when one is out of range or named twice.
std::optional<std::vector<int64_t>> front_axes(std::vector<int64_t> axes, int64_t rank);

// Whether `to` may replace `from` everywhere: a graph output keeps its name, so a graph input or another output cannot take it over.
bool can_stand_for(const Graph& graph, const Value* from, const Value* to);
// Every use of `from` becomes `to`, a value just made, which gets its name as well: tools then find the layer under the name they know.
void take_over(Graph& graph, Value* from, Value* to);
// Type of output 0 of `op` on these inputs, or nothing when the op refuses them.
std::optional<TensorType> inferred(const Op& op, const std::vector<Value*>& in);

// Adds a node before `at`, its value named after at's; returns its first output.
template <class O>
Value* emit(Graph& graph, Node& at, O op, std::vector<Value*> in) {
  return graph.add_before(at, std::make_shared<const O>(std::move(op)), std::move(in), at.output()->name).output();
}
// Puts a node with the given op in the place of `node`, which is left without uses; always true, as a rule that matched.
template <class O>
bool replace_node(Graph& graph, Node& node, O op, std::vector<Value*> in) {
  take_over(graph, node.output(), emit(graph, node, std::move(op), std::move(in)));
  return true;
}

// The same op on other inputs in the place of `node`, whose op has one output; always true.
inline bool replace_inputs(Graph& graph, Node& node, std::vector<Value*> in) {
  take_over(graph, node.output(), graph.add_before(node, node.op, std::move(in), node.output()->name).output());
  return true;
}

// The node producing v if it is this binary function (and, with a graph, this is the only use).
Node* binary_of(const Value* v, BinaryFn fn);
Node* sole_binary(const Graph& graph, const Value* v, BinaryFn fn);
// The argument if v is f(x) of this function, any parameters; `f` receives them.
Node* unary_of(const Value* v, Fn fn);
Node* sole_unary(const Graph& graph, const Value* v, Fn fn);

// A value and a number it is combined with.
struct WithScalar {
  Value* x = nullptr;
  double number = 0;
};
// v = x * number, as mul with a scalar on either side or div by one, of the same rank as x.
std::optional<WithScalar> scaled_by(const Value* v);
// v = x + number, as add with a scalar on either side or sub of one, of the same rank as x.
std::optional<WithScalar> shifted_by(const Value* v);

// A product taken apart: the number and the other factors, in order. Only products used nowhere else are taken apart.
struct Product {
  double factor = 1;
  std::vector<Value*> terms;
};
Product product_of(const Graph& graph, const Node& root);

// v as c[0] + c[1] x + c[2] x^2 + c[3] x^3, when it is made of sums, products and powers of x and scalars alone.
using Cubic = std::array<double, 4>;
std::optional<Cubic> cubic_of(const Value* v, const Value* x);
bool same_cubic(const Cubic& a, const Cubic& b, DType dtype);

// The two terms of a product of exactly two with the given factor, in either order: {x, f(x)} tried by `second(other, x)`.
template <class F>
Value* gated(const Product& p, F&& second) {
  if (p.terms.size() != 2) return nullptr;
  for (size_t i = 0; i < 2; ++i)
    if (second(p.terms[1 - i], p.terms[i])) return p.terms[i];
  return nullptr;
}

}  // namespace onecard
