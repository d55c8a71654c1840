// reshape(x) => x where the shape is surely x's own        reshape(reshape(x)) => reshape(x)
//   reshape, flatten, squeeze and unsqueeze alike; at most one extent of the result is not a number, and none is 0.
#include "lib/ops/shape_ops.h"
#include "passes/match.h"

namespace onecard {

namespace {

bool is_reshape(const Node* node) { return node && (node->as<Reshape>() || node->as<Flatten>() || node->as<Squeeze>() || node->as<Unsqueeze>()); }

// The shape as the constant input of a reshape, -1 standing for the extent that is no number.
std::optional<Tensor> shape_tensor(const Shape& shape) {
  if (!shape.has_rank()) return std::nullopt;
  std::vector<int64_t> numbers;
  bool open = false;
  for (const Dim& d : shape.dims()) {
    if (d.maybe() == 0 || (!d.is_number() && open)) return std::nullopt;
    open = open || !d.is_number();
    numbers.push_back(d.maybe().value_or(-1));
  }
  return Tensor::of<int64_t>({static_cast<int64_t>(numbers.size())}, numbers);
}

// Whether a shape input says the same whatever the shape it is applied to: it has no 0.
bool stands_alone(const Node& node) {
  if (!node.as<Reshape>()) return false;
  const auto numbers = ints_of(node.input(1));
  if (!numbers) return false;
  for (const int64_t n : *numbers)
    if (n == 0) return false;
  return true;
}

template <class O>
bool rule(Graph& graph, Node& node, const O&) {
  Value *x = node.inputs[0], *y = node.output();
  if (x->type.container != Container::tensor) return false;
  if (surely_same_shape(x->type.shape, y->type.shape) && can_stand_for(graph, y, x)) {
    graph.replace_uses(y, x);
    return true;
  }
  if (!is_reshape(x->producer)) return false;
  Value* source = x->producer->inputs[0];
  if (surely_same_shape(source->type.shape, y->type.shape) && can_stand_for(graph, y, source)) {
    graph.replace_uses(y, source);
    return true;
  }
  if (source->type.quant && source->type.quant->axis >= 0) return false;
  // What the step between hid may show now that the shapes do not go together: the error then belongs to the run, if it comes to that.
  if (stands_alone(node)) return inferred(*node.op, {source, node.inputs[1]}) && replace_node(graph, node, *node.as<Reshape>(), {source, node.inputs[1]});
  auto shape = shape_tensor(y->type.shape);
  if (!shape) return false;
  Value* constant = graph.add_constant(graph.unique(y->name + ".shape"), std::move(*shape));
  return inferred(Reshape(), {source, constant}) && replace_node(graph, node, Reshape(), {source, constant});
}

}  // namespace

int64_t eliminate_reshape(Graph& graph, PassContext&) {
  return rewrite_each<Reshape>(graph, rule<Reshape>) + rewrite_each<Flatten>(graph, rule<Flatten>) + rewrite_each<Squeeze>(graph, rule<Squeeze>) +
         rewrite_each<Unsqueeze>(graph, rule<Unsqueeze>);
}

}  // namespace onecard
