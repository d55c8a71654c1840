#pragma once
#include <map>
#include <string>
#include <vector>

#include "lib/ir/graph.h"

namespace onecard {

// The sizes that stand in for a graph's symbols where nobody gave any.
struct ChosenSizes {
  SymbolValues symbols;
  std::vector<TensorType> inputs;
  std::string text() const;  // "batch=1, past=0"; empty when there are no symbols
};

// `given` symbols and `shapes` of inputs as they are, every other symbol 1; where the graph cannot be bound so (an attention mask as long as
// past and new tokens together, a window longer than 1), the nearest sizes for which it can, bodies of control flow included where possible; 0
// comes last. Raises usage for unknown names, model when no sizes do.
ChosenSizes choose_sizes(const Graph& graph, const SymbolValues& given, const std::map<std::string, Dims>& shapes);

}  // namespace onecard
