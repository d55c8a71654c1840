#pragma once
#include "lib/flow/compression/workbench.h"

namespace onecard {

struct FoundIntegers {
  FoundLayers found;
  Calibrated calibrated;
};

// Integers for the weights and inputs of base's layers: ranges, multipliers, rounding and matched means compete on the samples that judge; a few
// layers may stay in float where that gains much. What is known is done again. Adds a record for each try.
FoundIntegers find_integers(const Workbench& bench, const GraphPtr& base, std::vector<RecipeRecord>& tried);
// Weights of four bits alone: to the nearest of their steps, or so that the sums suffer least, with means matched or not.
FoundIntegers find_four_bits(const Workbench& bench, const GraphPtr& base, std::vector<RecipeRecord>& tried);

}  // namespace onecard
