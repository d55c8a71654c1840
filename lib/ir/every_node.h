#pragma once
#include "lib/ir/graph.h"

namespace onecard {

// Calls f(graph, node) for every node of the network in the order in which they are listed, those in the bodies of a node (If, Loop, Scan) before
// the node itself.
template <class F>
void every_node(const Graph& graph, const F& f) {
  for (const Node& node : graph.nodes()) {
    for (const GraphPtr& body : node.op->subgraphs()) every_node(*body, f);
    f(graph, node);
  }
}

}  // namespace onecard
