#include "lib/flow/compression/behind_others.h"

#include <algorithm>
#include <set>

#include "lib/ir/every_node.h"
#include "lib/ops/control.h"

namespace onecard {

namespace {

// Adds the values in which `own` nodes have a part. What a body is given counts as one, and so does what it gives; the next round of a loop reads
// what its own layers have made.
void touch(const Graph& graph, const std::set<const Node*>& own, std::set<const Value*>& touched) {
  for (const Node& node : graph.nodes()) {
    bool reads = std::any_of(node.inputs.begin(), node.inputs.end(), [&](const Value* v) { return v && touched.contains(v); });
    bool has_own = own.contains(&node);
    for (const GraphPtr& body : node.op->subgraphs())
      every_node(*body, [&](const Graph&, const Node& inner) { has_own = has_own || own.contains(&inner); });
    const bool again = has_own && !node.as<If>();
    for (const GraphPtr& body : node.op->subgraphs()) {
      if (reads || again) touched.insert(body->inputs.begin(), body->inputs.end());
      touch(*body, own, touched);
    }
    if (reads || has_own) touched.insert(node.outputs.begin(), node.outputs.end());
  }
}

}  // namespace

std::vector<bool> behind_others(const Graph& graph, const std::vector<const Layer*>& layers) {
  std::set<const Node*> own;  // looked up, never iterated
  for (const Layer* l : layers) own.insert(l->node);
  std::set<const Value*> touched;
  touch(graph, own, touched);
  std::vector<bool> behind;
  for (const Layer* l : layers) behind.push_back(touched.contains(l->x));
  return behind;
}

}  // namespace onecard
