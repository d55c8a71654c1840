#pragma once
#include "lib/flow/compression/workbench.h"

namespace onecard {

struct FoundPruning {
  PruneRecipe recipe;
  GraphPtr graph;     // with the zeros, repaired
  FoundLayers found;  // what repair changed
  Survival survival;
};

// Allocations of zeros, each as they are, with means matched, and repaired by least squares, compete on held-out samples: per tensor, one
// threshold, LAMP; weighed by what the elements multiply where most weights are matrix products; one threshold with what zeros cost in each
// weight; with lookup tables or without. Adds a record for each.
FoundPruning find_pruning(const Workbench& bench, std::vector<RecipeRecord>& tried);

}  // namespace onecard
