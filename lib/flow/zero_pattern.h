#pragma once
#include <functional>

#include "lib/ir/graph.h"

namespace onecard {

// How many of a network's float weights hold two zeros or more in each four neighbours along the axis that products sum over: the 2:4 pattern.
// `has_read`, where there is one, is told after each weight.
int64_t weights_in_two_of_four(const Graph& graph, const std::function<void(const Tensor&)>& has_read);

}  // namespace onecard
