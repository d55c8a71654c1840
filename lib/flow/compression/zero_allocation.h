#pragma once
#include "lib/flow/compression/workbench.h"

namespace onecard {

// How many zeros each layer of a pruned network should have, as many in all as it has: the least of the sum over layers of what its zeros cost the
// answers. That grows with the error of the layer's own sums (zero_costs), and is measured at one number of zeros, each layer alone. In
// `each_pruned` every layer that may be pruned is. Null where fewer than two layers can be looked at, or the runs would take too long.
std::shared_ptr<const ZeroCounts> allocate_zeros(const Workbench& bench, const GraphPtr& each_pruned, const GraphPtr& pruned);

}  // namespace onecard
