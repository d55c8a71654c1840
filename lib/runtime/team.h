#pragma once
#include "lib/runtime/executor.h"

namespace onecard {

struct SharedWeights;

// How many samples may run at the same time on a device: as many as there are threads where it computes on the host's, else one.
int workers_of(const Device& device);

// Plans both at the same time for these inputs, each for runs on as many threads as the caller has; where all are tensors, else the runs will plan.
void prepare_both(Executor& a, Executor& b, const std::vector<Tensor>& inputs);

// Executors of one graph that run at the same time, one a worker of `in_order`. Packed weights are shared, and with
// whoever else is given `weights`.
class Team {
 public:
  Team(GraphPtr graph, Device& device, int workers, std::shared_ptr<SharedWeights> weights);
  Executor& member(int worker) const { return *members_[static_cast<size_t>(worker)]; }
  int workers() const { return static_cast<int>(members_.size()); }
  const Graph& graph() const { return members_[0]->graph(); }

 private:
  std::vector<std::unique_ptr<Executor>> members_;
};

}  // namespace onecard
