#pragma once
#include "lib/flow/optimize.h"

namespace onecard {

// The pipeline without planning or a bundle: what compression finds on the samples is handed to the passes; the graph as it stands where the
// pipeline ends. `example`: inputs that stand in for samples where there are none; may be null.
Graph run_passes(const OptimizeRequest& request, const std::vector<Tensor>* example, Device& device, const Progress& progress,
                 OptimizeResult& result);

}  // namespace onecard
