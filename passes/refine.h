#pragma once
#include "lib/ir/graph.h"

namespace onecard {

// Infers every node again and keeps what is known now that was not known before: extents and contents that became numbers
// when something upstream became constant. The number of values that gained.
int64_t refine_types(Graph& graph);

}  // namespace onecard
