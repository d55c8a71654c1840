#pragma once
#include <vector>

#include "passes/manager.h"

namespace onecard {

// What makes a graph small and fast without regard to precision. Calibration runs the graph as this leaves it.
std::vector<PipelineRow> float_pipeline();
// What turns it to integers afterwards, as the context asks; does nothing when it asks for nothing.
std::vector<PipelineRow> quantize_pipeline();
// Both, in order.
std::vector<PipelineRow> standard_pipeline();

}  // namespace onecard
