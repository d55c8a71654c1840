#pragma once
#include "lib/flow/optimize.h"

namespace onecard {

// Whether what is asked for changes numbers.
bool is_lossy(const OptimizeRequest& request);

// Whether it answers differently each time.
bool draws_random_numbers(const Graph& graph);

// Lossy work with samples is never silent: looks at the samples, and measures what is about to be shipped on those that compression did not see. What
// is doubtful goes into the result's warnings.
void look_for_doubts(const OptimizeRequest& request, const GraphPtr& shipped, Device& device, const std::shared_ptr<SharedWeights>& weights,
                     const Progress& progress, OptimizeResult& result);

}  // namespace onecard
