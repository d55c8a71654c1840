#pragma once
#include "lib/runtime/data/samples.h"
#include "lib/runtime/team.h"
#include "passes/pass.h"

namespace onecard {

// The norm of each channel (last axis) of what matrix products multiply by a constant, over these samples, by the name of the value.
InputNorms input_norms(const Team& network, const SampleSource& samples, const std::vector<size_t>& chosen);

// Which share of the elements of a network's weights belongs to matrix products.
double share_of_products(const Graph& network);

}  // namespace onecard
