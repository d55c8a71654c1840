#pragma once
#include "lib/plan/timeline.h"

namespace onecard {

// The order of steps, the graph's own or one made by always running what frees most, in which the fewest bytes are live at the worst step.
// The graph's own where no other is better.
Timeline best_order(const StepList& list);

}  // namespace onecard
