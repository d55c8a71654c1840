#include "lib/runtime/team.h"

#include <future>

#include "lib/base/parallel.h"

namespace onecard {

int workers_of(const Device& device) { return device.host_memory() ? thread_count() : 1; }

void prepare_both(Executor& a, Executor& b, const std::vector<Tensor>& inputs) {
  std::vector<TensorType> types;
  for (const Tensor& t : inputs) {
    if (!t.has_value() || t.type().container != Container::tensor) return;
    types.push_back(t.type());
  }
  const int threads = thread_count();
  auto other = std::async(std::launch::async, [&] {
    set_threads(threads);  // a thread has its own count
    b.prepare(types);
  });
  a.prepare(types);
  other.get();
}

Team::Team(GraphPtr graph, Device& device, int workers, std::shared_ptr<SharedWeights> weights) {
  for (int i = 0; i < workers; ++i) members_.push_back(std::make_unique<Executor>(graph, device, ExecutorOptions{std::nullopt, weights}));
}

}  // namespace onecard
