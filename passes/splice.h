#pragma once
#include <map>
#include <vector>

#include "lib/ir/graph.h"

namespace onecard {

// Which value of the target graph stands for a value of the graph being copied.
using Twins = std::map<const Value*, Value*>;

// Copies the constants and nodes of `from` into `to`, before the node `at` or (null) at the end. `twins` holds the stand-ins of from's
// inputs and receives those of everything else; the stand-ins of its outputs are returned.
std::vector<Value*> splice(Graph& to, Node* at, const Graph& from, Twins& twins);

}  // namespace onecard
