#pragma once
#include "lib/ir/graph.h"

namespace onecard {

// What became known shows that the model cannot run: its fault, not that of the pass at work.
struct ImpossibleModel : Error {
  using Error::Error;
};

// Infers every node again and keeps what is known now that was not known before: extents and contents that became numbers
// when something upstream became constant. The number of values that gained. Raises ImpossibleModel when a node refuses what is known now of its inputs.
int64_t refine_types(Graph& graph);

}  // namespace onecard
