// nodes none of whose results is read, and constants nobody reads => nothing
#include "passes/pass.h"

namespace onecard {

int64_t eliminate_dead(Graph& graph, PassContext&) {
  const size_t before = graph.values().size() + graph.nodes().size();
  graph.erase_dead();
  return static_cast<int64_t>(before - graph.values().size() - graph.nodes().size());
}

}  // namespace onecard
