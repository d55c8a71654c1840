#include "passes/match.h"

#include <algorithm>
#include <cmath>

namespace onecard {

namespace {

// Constants whose elements are numbers in themselves: no strings, no quantized storage, no sequences.
bool is_plain(const Value* v) {
  return v && v->constant && v->constant->has_value() && v->type.container == Container::tensor && !v->type.quant && v->type.dtype != DType::string &&
         info(v->type.dtype).kind != DKind::complex;
}

constexpr int kMaxTerms = 16;   // of an expression taken apart; hostile graphs share subexpressions to any depth

std::optional<Cubic> multiply(const Cubic& a, const Cubic& b) {
  Cubic c{};
  for (size_t i = 0; i < 4; ++i)
    for (size_t j = 0; j < 4; ++j) {
      const double term = a[i] * b[j];
      if (term == 0) continue;
      if (i + j > 3) return std::nullopt;
      c[i + j] += term;
    }
  return c;
}

std::optional<Cubic> power(const Cubic& a, double exponent) {
  if (exponent != 1 && exponent != 2 && exponent != 3) return std::nullopt;
  std::optional<Cubic> result = a;
  for (int i = 1; i < static_cast<int>(exponent) && result; ++i) result = multiply(*result, a);
  return result;
}

std::optional<Cubic> cubic(const Value* v, const Value* x, int& budget);

std::optional<Cubic> cubic_of_binary(const Node& node, BinaryFn fn, const Value* x, int& budget) {
  if (fn == BinaryFn::pow) {
    const auto exponent = scalar_of(node.input(1));
    const auto base = exponent ? cubic(node.input(0), x, budget) : std::nullopt;
    return base ? power(*base, *exponent) : std::nullopt;
  }
  const bool linear = fn == BinaryFn::add || fn == BinaryFn::sub, product = fn == BinaryFn::mul || fn == BinaryFn::div;
  if (!linear && !product) return std::nullopt;
  const auto a = cubic(node.input(0), x, budget);
  auto b = a ? cubic(node.input(1), x, budget) : std::nullopt;
  if (!b) return std::nullopt;
  if (fn == BinaryFn::div) {
    if ((*b)[1] != 0 || (*b)[2] != 0 || (*b)[3] != 0 || (*b)[0] == 0) return std::nullopt;
    (*b)[0] = 1 / (*b)[0];
  }
  if (product) return multiply(*a, *b);
  Cubic sum = *a;
  for (size_t i = 0; i < 4; ++i) sum[i] += fn == BinaryFn::add ? (*b)[i] : -(*b)[i];
  return sum;
}

std::optional<Cubic> cubic(const Value* v, const Value* x, int& budget) {
  if (--budget < 0 || !v) return std::nullopt;
  if (v == x) return Cubic{0, 1, 0, 0};
  if (const auto number = scalar_of(v)) return Cubic{*number, 0, 0, 0};
  if (const Node* square = unary_of(v, Fn::square)) {
    const auto base = cubic(square->input(0), x, budget);
    return base ? power(*base, 2) : std::nullopt;
  }
  const Node* node = producer_of<Binary>(v);
  return node ? cubic_of_binary(*node, node->as<Binary>()->fn, x, budget) : std::nullopt;
}

void take_apart(const Graph& graph, Value* v, Product& p, int& budget) {
  if (const auto number = scalar_of(v)) {
    p.factor *= *number;
    return;
  }
  if (--budget > 0) {
    if (Node* mul = sole_binary(graph, v, BinaryFn::mul)) {
      take_apart(graph, mul->inputs[0], p, budget);
      take_apart(graph, mul->inputs[1], p, budget);
      return;
    }
    Node* div = sole_binary(graph, v, BinaryFn::div);
    const auto divisor = div ? scalar_of(div->inputs[1]) : std::nullopt;
    if (divisor && *divisor != 0) {
      p.factor /= *divisor;
      take_apart(graph, div->inputs[0], p, budget);
      return;
    }
  }
  p.terms.push_back(v);
}

}  // namespace

std::optional<double> scalar_of(const Value* v) {
  if (!is_plain(v) || v->constant->elements() != 1) return std::nullopt;
  return materialize(v->constant)->at(0);
}

bool same_number(double a, double b, DType dtype) {
  const double tolerance = dtype == DType::f16 ? 2e-3 : dtype == DType::bf16 ? 1e-2 : 1e-5;
  return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b));
}

bool is_scalar(const Value* v, double expected) {
  const auto number = scalar_of(v);
  return number && same_number(*number, expected, v->type.dtype);
}

std::optional<std::vector<int64_t>> ints_of(const Value* v) {
  constexpr int64_t kMaxInts = 1024;
  if (!v) return std::nullopt;
  if (v->constant) {
    if (!is_plain(v) || !is_integer(v->type.dtype) || v->constant->elements() > kMaxInts) return std::nullopt;
    return to_ints(*materialize(v->constant));
  }
  if (!v->contents || static_cast<int64_t>(v->contents->size()) > kMaxInts) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const Dim& d : *v->contents) {
    if (!d.is_number()) return std::nullopt;
    numbers.push_back(d.number());
  }
  return numbers;
}

bool all_elements_are(const Value* v, double expected) {
  if (!is_plain(v) || v->constant->elements() == 0) return false;
  const ConstTensor t = materialize(v->constant);
  for (int64_t i = 0; i < t->elements(); ++i)
    if (t->at(i) != expected) return false;
  return true;
}

bool surely_same_shape(const Shape& a, const Shape& b) {
  if (!a.has_rank() || !b.has_rank() || a.rank() != b.rank()) return false;
  for (int64_t i = 0; i < a.rank(); ++i)
    if (!same_size(a[i], b[i])) return false;
  return true;
}

bool broadcasts_into(const Shape& small, const Shape& big) {
  if (!small.has_rank() || !big.has_rank() || small.rank() > big.rank()) return false;
  const int64_t lead = big.rank() - small.rank();
  for (int64_t i = 0; i < small.rank(); ++i)
    if (small[i].maybe() != 1 && !same_size(small[i], big[lead + i])) return false;
  return true;
}

bool same_rank(const Value* a, const Value* b) {
  return a->type.shape.has_rank() && b->type.shape.has_rank() && a->type.shape.rank() == b->type.shape.rank();
}

std::optional<std::vector<int64_t>> front_axes(std::vector<int64_t> axes, int64_t rank) {
  for (int64_t& a : axes) {
    if (a < -rank || a >= rank) return std::nullopt;
    if (a < 0) a += rank;
  }
  std::sort(axes.begin(), axes.end());
  if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) return std::nullopt;
  return axes;
}

bool can_stand_for(const Graph& graph, const Value* from, const Value* to) {
  if (from == to) return false;
  if (!graph.is_output(from)) return true;
  return !graph.is_output(to) && std::find(graph.inputs.begin(), graph.inputs.end(), to) == graph.inputs.end();
}

void take_over(Graph& graph, Value* from, Value* to) {
  const bool was_output = graph.is_output(from);
  graph.replace_uses(from, to);
  if (!was_output) std::swap(from->name, to->name);
}

std::optional<TensorType> inferred(const Op& op, const std::vector<Value*>& in) {
  try {
    const std::vector<InputInfo> infos = input_infos(in);
    auto types = op.infer(InferContext(infos));
    if (types.empty()) return std::nullopt;
    return std::move(types[0]);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return std::nullopt;
  }
}

Node* binary_of(const Value* v, BinaryFn fn) {
  Node* node = producer_of<Binary>(v);
  return node && node->as<Binary>()->fn == fn ? node : nullptr;
}

Node* sole_binary(const Graph& graph, const Value* v, BinaryFn fn) {
  Node* node = sole_producer<Binary>(graph, v);
  return node && node->as<Binary>()->fn == fn ? node : nullptr;
}

Node* unary_of(const Value* v, Fn fn) {
  Node* node = producer_of<Unary>(v);
  return node && node->as<Unary>()->f.fn == fn ? node : nullptr;
}

Node* sole_unary(const Graph& graph, const Value* v, Fn fn) {
  Node* node = sole_producer<Unary>(graph, v);
  return node && node->as<Unary>()->f.fn == fn ? node : nullptr;
}

std::optional<WithScalar> scaled_by(const Value* v) {
  if (Node* mul = binary_of(v, BinaryFn::mul))
    for (size_t i = 0; i < 2; ++i)
      if (const auto number = scalar_of(mul->inputs[i]); number && same_rank(v, mul->inputs[1 - i])) return WithScalar{mul->inputs[1 - i], *number};
  if (Node* div = binary_of(v, BinaryFn::div))
    if (const auto number = scalar_of(div->inputs[1]); number && *number != 0 && same_rank(v, div->inputs[0])) return WithScalar{div->inputs[0], 1 / *number};
  return std::nullopt;
}

std::optional<WithScalar> shifted_by(const Value* v) {
  if (Node* add = binary_of(v, BinaryFn::add))
    for (size_t i = 0; i < 2; ++i)
      if (const auto number = scalar_of(add->inputs[i]); number && same_rank(v, add->inputs[1 - i])) return WithScalar{add->inputs[1 - i], *number};
  if (Node* sub = binary_of(v, BinaryFn::sub))
    if (const auto number = scalar_of(sub->inputs[1]); number && same_rank(v, sub->inputs[0])) return WithScalar{sub->inputs[0], -*number};
  return std::nullopt;
}

Product product_of(const Graph& graph, const Node& root) {
  Product p;
  int budget = kMaxTerms;
  const auto* op = root.as<Binary>();
  if (!op || !is_float(root.outputs[0]->type.dtype)) return p;
  if (op->fn == BinaryFn::mul) {
    take_apart(graph, root.inputs[0], p, budget);
    take_apart(graph, root.inputs[1], p, budget);
  } else if (const auto divisor = op->fn == BinaryFn::div ? scalar_of(root.inputs[1]) : std::nullopt; divisor && *divisor != 0) {
    take_apart(graph, root.inputs[0], p, budget);
    p.factor /= *divisor;
  }
  return p;
}

std::optional<Cubic> cubic_of(const Value* v, const Value* x) {
  int budget = 2 * kMaxTerms;
  return cubic(v, x, budget);
}

bool same_cubic(const Cubic& a, const Cubic& b, DType dtype) {
  for (size_t i = 0; i < 4; ++i)
    if (!same_number(a[i], b[i], dtype)) return false;
  return true;
}

}  // namespace onecard
