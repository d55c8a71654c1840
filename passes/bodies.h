#pragma once
#include <functional>

#include "lib/ir/graph.h"

namespace onecard {

// Offers `change` a copy of every body that the node holds (If, Loop, Scan); it returns how often it changed the copy. When it did, a node with
// the changed bodies takes the place of this one, which is left without uses. The sum of what `change` returned.
int64_t change_bodies(Graph& graph, Node& node, const std::function<int64_t(Graph& body)>& change);

}  // namespace onecard
