#pragma once
#include "lib/plan/steps.h"

namespace onecard {

// Settles which results overwrite an input in place, and from when to when each piece of memory is needed.
void settle_lifetimes(StepList& list);
// The arena's lower bound after settle_lifetimes: the most bytes live at one step.
int64_t arena_lower_bound(const StepList& list);
// A plan of the list: offsets given out, totals summed.
Plan give_memory(StepList list, const Device& device);

}  // namespace onecard
