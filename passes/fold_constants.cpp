// f(constants) => constant
//   f is pure and holds no graph; an integer value whose elements are all known counts as constant, whatever its inputs.
//   The result is at most context.fold_limit_bytes, or no more than the constants that go away with it.
//   A dequantize stays: it would grow the weights, and a bias in 32 bits belongs to a layer of integers.
#include <algorithm>

#include "lib/ops/conv.h"
#include "lib/ops/conv_transpose.h"
#include "lib/ops/matmul.h"
#include "lib/ops/quantize.h"
#include "lib/ops/quantize_linear.h"
#include "passes/match.h"
#include "passes/refine.h"

namespace onecard {

namespace {

constexpr int64_t kMostMultiplications = int64_t{1} << 28;  // of a product of constants: reference is slow
constexpr int64_t kMostBytesOfUnknown = int64_t{1} << 16;   // of the inputs, when only running tells the result's size

// Multiplications of one node, roughly; 0 for ops whose work is their result's size.
double multiplications(const Node& node, double elements) {
  const auto extents = [&](size_t input) { return node.inputs[input]->type.shape.numbers(); };
  if (const auto* matmul = node.as<MatMul>()) {
    const Dims a = extents(0);
    if (a.empty()) return 0;
    const bool second_last = matmul->transpose_a == Transpose2::yes && a.size() > 1;
    return elements * static_cast<double>(second_last ? a[a.size() - 2] : a.back());
  }
  if (node.as<Conv>() || node.as<ConvTranspose>()) {
    const Dims w = extents(1);
    return elements * static_cast<double>(element_count(w)) / static_cast<double>(std::max<int64_t>(w.empty() ? 1 : w[0], 1));
  }
  return 0;
}

// Bytes of the constants that nobody reads when this node is gone.
int64_t dying_bytes(const Graph& graph, const Node& node) {
  int64_t bytes = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Value* v = node.inputs[i];
    const bool first = v && std::find(node.inputs.begin(), node.inputs.begin() + static_cast<std::ptrdiff_t>(i), v) ==
                                node.inputs.begin() + static_cast<std::ptrdiff_t>(i);
    if (first && !graph.is_output(v) && std::all_of(v->users.begin(), v->users.end(), [&](const Node* u) { return u == &node; }))
      bytes += v->constant->bytes();
  }
  return bytes;
}

bool foldable(const Graph& graph, const Node& node, const PassContext& context) {
  if (!node.op->is_pure() || !node.op->subgraphs().empty() || node.outputs.empty()) return false;
  int64_t input_bytes = 0;
  bool scalar_input = node.inputs.empty();
  for (const Value* v : node.inputs) {
    if (!v) continue;
    if (!v->constant || !v->constant->has_value() || v->type.container != Container::tensor) return false;
    input_bytes += v->constant->bytes();
    scalar_input = scalar_input || v->constant->rank() == 0;
  }
  int64_t bytes = 0;
  double elements = 0;
  bool known = true;
  for (const Value* v : node.outputs) {
    if (v->type.container != Container::tensor) return false;
    known = known && v->type.is_static();
    if (!known) continue;
    bytes += v->type.bytes();
    elements += static_cast<double>(element_count(v->type.shape.numbers()));
  }
  if (!known) return !scalar_input && input_bytes <= kMostBytesOfUnknown;
  if ((node.as<Dequantize>() || node.as<DequantizeLinear>()) && bytes >= input_bytes) return false;
  if (multiplications(node, elements) > static_cast<double>(kMostMultiplications)) return false;
  return bytes <= context.fold_limit_bytes || bytes <= dying_bytes(graph, node);
}

// The node's results, or nothing when they cannot be had: the error then belongs to the run, if it comes to that.
std::vector<Tensor> results_of(const Node& node) {
  std::vector<ConstTensor> held;
  std::vector<const Tensor*> in;
  for (const Value* v : node.inputs) {
    held.push_back(v ? materialize(v->constant) : nullptr);
    in.push_back(held.back().get());
  }
  try {
    return evaluate(*node.op, in);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return {};
  }
}

bool replace_by_constant(Graph& graph, Value* v, Tensor t) {
  Value* constant = graph.add_constant(graph.unique(v->name), std::move(t));
  take_over(graph, v, constant);
  return true;
}

bool fold_node(Graph& graph, Node& node, const PassContext& context) {
  if (!foldable(graph, node, context)) return false;
  std::vector<Tensor> results = results_of(node);
  if (results.size() != node.outputs.size()) return false;
  int64_t bytes = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].has_value() || results[i].dtype() != node.outputs[i]->type.dtype) return false;
    bytes += results[i].bytes();
  }
  if (bytes > context.fold_limit_bytes && bytes > dying_bytes(graph, node)) return false;
  bool changed = false;
  for (size_t i = 0; i < results.size(); ++i) {
    Value* v = node.outputs[i];
    if (!v->users.empty() || graph.is_output(v)) changed = replace_by_constant(graph, v, std::move(results[i]));
  }
  return changed;
}

bool fold_contents(Graph& graph, Value* v) {
  if (v->constant || !v->producer || !is_integer(v->type.dtype) || v->type.quant || v->type.container != Container::tensor ||
      (v->users.empty() && !graph.is_output(v)))
    return false;
  const auto numbers = ints_of(v);
  if (!numbers || !v->producer->op->is_pure() || !v->type.shape.has_rank() || v->type.shape.rank() > 1) return false;
  const int64_t count = static_cast<int64_t>(numbers->size());
  if (v->type.shape.rank() == 0 ? count != 1 : v->type.shape[0].maybe().value_or(count) != count) return false;
  Tensor t(v->type.dtype, v->type.shape.rank() == 0 ? Dims{} : Dims{count});
  for (int64_t i = 0; i < count; ++i) t.set_int(i, (*numbers)[static_cast<size_t>(i)]);
  return replace_by_constant(graph, v, std::move(t));
}

}  // namespace

int64_t fold_constants(Graph& graph, PassContext& context) {
  int64_t changes = 0;
  for (bool again = true; again;) {
    int64_t folded = 0;
    for (auto it = graph.nodes().begin(); it != graph.nodes().end(); ++it) {
      if (fold_node(graph, *it, context)) ++folded;
      else if (!it->outputs.empty() && fold_contents(graph, it->output())) ++folded;
    }
    graph.erase_dead();
    changes += folded;
    again = folded > 0 && refine_types(graph) > 0;  // only new knowledge can make another round fold more
  }
  return changes;
}

}  // namespace onecard
