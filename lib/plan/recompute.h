#pragma once
#include "lib/plan/steps.h"

namespace onecard {

// Makes one value again just before its later use instead of keeping it across the step where most memory is live (checkpointing): the choice
// that lowers the arena's bound most, cheap steps before costly ones. False when none lowers it. The list is one of make_steps, lifetimes not
// settled. At most as much arithmetic is added, over all calls, as the list had: `flops_left`.
bool recompute_one(StepList& list, double& flops_left);

}  // namespace onecard
