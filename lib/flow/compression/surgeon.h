#pragma once
#include <set>
#include <span>
#include <string>
#include <vector>

#include "lib/flow/compression/fit.h"

namespace onecard {

// Sets to 0 in keep[g] [depth, width] the `zeros` elements of a layer whose absence costs the sums least when the others make up for it: Optimal
// Brain Surgeon (Hassibi 1993), one element after the other and exactly, per column (Frantar 2022), over the columns of all groups. Returns what each
// added to the sum of squares, and what the elements that stay would add, in the order in which they go.
std::vector<float> choose_zeros(std::span<const FitProblem* const> problems, int64_t zeros, std::span<std::vector<uint8_t>* const> keep);
// The names of those layers for which that takes little enough: no single one too long, and the cheapest first until a network's share is used up.
std::set<std::string> small_enough_to_choose(const std::vector<Layer>& layers);

}  // namespace onecard
