#include "lib/runtime/team.h"

#include "lib/base/parallel.h"

namespace onecard {

int workers_of(const Device& device) { return device.host_memory() ? thread_count() : 1; }

Team::Team(GraphPtr graph, Device& device, int workers, std::shared_ptr<SharedWeights> weights) {
  for (int i = 0; i < workers; ++i) members_.push_back(std::make_unique<Executor>(graph, device, ExecutorOptions{std::nullopt, weights}));
}

}  // namespace onecard
