#pragma once
#include "lib/flow/optimize.h"

namespace onecard {

// The pipeline without planning or a bundle: what compression finds on the samples is handed to the passes; the graph as it stands where the
// pipeline ends.
Graph run_passes(const OptimizeRequest& request, Device& device, const Progress& progress, OptimizeResult& result);

}  // namespace onecard
