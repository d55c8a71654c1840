#pragma once
#include <optional>

#include "lib/runtime/executor.h"

namespace onecard {

// What a run took before and after, the two in turn: medians.
struct RunTimes {
  double before_ms = 0, after_ms = 0;
  int64_t runs = 0;  // of each
  // Beyond what turns of the machine explain.
  bool is_slower() const { return after_ms > 1.1 * before_ms; }
};

// Whether rounds of both, in turn, show plainly which one is faster: one of them where it is far faster, else two.
bool shows_plainly(const std::vector<double>& before, const std::vector<double>& after);

// Runs both networks on these inputs with all the device's threads: once or twice where that shows plainly which one is faster, else for half a
// second, or once where one run takes longer. Nothing where the original is too large to be held for that, or cannot be run.
std::optional<RunTimes> time_runs(const GraphPtr& original, const GraphPtr& shipped, Device& device, const std::vector<Tensor>& inputs,
                                  const std::shared_ptr<SharedWeights>& weights);

}  // namespace onecard
