#include "passes/bodies.h"

#include "passes/match.h"

namespace onecard {

int64_t change_bodies(Graph& graph, Node& node, const std::function<int64_t(Graph& body)>& change) {
  std::vector<GraphPtr> bodies;
  int64_t changes = 0;
  for (const GraphPtr& body : node.op->subgraphs()) {
    Graph copy = body->clone();
    const int64_t here = change(copy);
    changes += here;
    bodies.push_back(here ? std::make_shared<const Graph>(std::move(copy)) : body);
  }
  if (changes == 0) return 0;
  Node& made = graph.add_before(node, node.op->with_subgraphs(std::move(bodies)), node.inputs, node.outputs.empty() ? "v" : node.output()->name);
  for (size_t i = 0; i < node.outputs.size(); ++i) take_over(graph, node.outputs[i], made.outputs[i]);
  return changes;
}

}  // namespace onecard
