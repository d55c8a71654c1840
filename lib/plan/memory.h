#pragma once
#include "lib/plan/timeline.h"

namespace onecard {

// The plan of a list run as the timeline says: offsets given out, totals summed.
Plan give_memory(const StepList& list, const Timeline& timeline, const Device& device);

}  // namespace onecard
