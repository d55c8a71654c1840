#pragma once
#include "lib/flow/guard.h"
#include "lib/flow/optimize.h"

namespace onecard {

// The meter of the accuracy that `request.guard` asks for: the original on all samples. Raises usage when the labels do not fit them.
std::unique_ptr<AccuracyMeter> guard_meter(const OptimizeRequest& request, Device& device);

// Raises layers in `context` until the network that the quantize pipeline makes of `graph` holds the gates. `dense` is the network before pruning
// after the same float pipeline, null where nothing was pruned. The price list goes into the result. Raises check_failed, with have and need, when
// the gates cannot be held.
void guard_passes(const OptimizeRequest& request, Device& device, const Graph& graph, const GraphPtr& dense, AccuracyMeter& meter,
                  const Progress& progress, PassContext& context, OptimizeResult& result);

}  // namespace onecard
