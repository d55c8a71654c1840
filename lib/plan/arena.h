#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace onecard {

// Memory that is needed from step `first` to step `last`, both included.
struct Lifetime {
  int64_t first, last, bytes;
};

// Where each buffer lies, the size of the arena, and the most bytes live at one step, below which no placement can go.
struct Placement {
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  int64_t lower_bound = 0;
};

// The most bytes live at one step.
int64_t most_live_bytes(std::span<const Lifetime> buffers);

// Elementary operations spent on a better placement where the first orders do not reach the bound: some milliseconds.
constexpr int64_t kPlacementEffort = 4'000'000;

// Gives every buffer an offset such that buffers alive at the same step do not overlap. Sizes are taken as they are: a caller who wants
// alignment rounds them up, and every offset is then a sum of rounded sizes. The work is bounded by counts, so the answer is the same everywhere.
Placement place_buffers(std::span<const Lifetime> buffers, int64_t effort = kPlacementEffort);

}  // namespace onecard
