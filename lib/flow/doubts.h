#pragma once
#include "lib/flow/optimize.h"

namespace onecard {

// Whether what is asked for changes numbers.
bool is_lossy(const OptimizeRequest& request);

// Whether it answers differently each time.
bool draws_random_numbers(const Graph& graph);

// Whether look_for_doubts runs anything.
bool is_measured(const OptimizeRequest& request);

// Lossy work with samples is never silent: looks at the samples, and measures what is about to be shipped on those that compression did not see. What
// is doubtful goes into the result's warnings.
void look_for_doubts(const OptimizeRequest& request, const Sides& sides, Device& device, const Progress& progress, OptimizeResult& result);

// Nor is it without samples, where the self-check's answer to a random input is all there is: one that has little left of the original's is a
// warning.
void look_at_answer(const OptimizeRequest& request, OptimizeResult& result);

}  // namespace onecard
