// reshape(x, s) => reshape(x, constant), s computed
//   every extent of the result is a number, or surely x's extent at the same place (written 0); or all but one are numbers (written -1).
#include <algorithm>

#include "lib/ops/shape_ops.h"
#include "passes/match.h"

namespace onecard {

namespace {

std::optional<std::vector<int64_t>> constant_shape(const Shape& x, const Shape& y) {
  if (!x.has_rank() || !y.has_rank()) return std::nullopt;
  std::vector<int64_t> numbers;
  bool open = false;
  for (int64_t i = 0; i < y.rank(); ++i) {
    if (y[i].maybe() == 0) return std::nullopt;       // 0 means something else here
    if (y[i].is_number()) numbers.push_back(y[i].number());
    else if (i < x.rank() && same_size(x[i], y[i])) numbers.push_back(0);
    else if (open) return std::nullopt;
    else numbers.push_back(-1), open = true;
  }
  // The extent written -1 could not be told where one written 0 is 0 at run time.
  if (open && std::find(numbers.begin(), numbers.end(), 0) != numbers.end()) return std::nullopt;
  return numbers;
}

bool rule(Graph& graph, Node& node, const Reshape&) {
  Value *x = node.inputs[0], *y = node.output();
  if (!node.inputs[1] || node.inputs[1]->constant || x->type.container != Container::tensor) return false;
  const auto numbers = constant_shape(x->type.shape, y->type.shape);
  if (!numbers) return false;
  const int64_t rank = static_cast<int64_t>(numbers->size());
  return replace_node(graph, node, Reshape(), {x, graph.add_constant(graph.unique(y->name + ".shape"), Tensor::of<int64_t>({rank}, *numbers))});
}

}  // namespace

int64_t fold_reshape_shape(Graph& graph, PassContext&) { return rewrite_each<Reshape>(graph, rule); }

}  // namespace onecard
