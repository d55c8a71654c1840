#include <algorithm>

#include "lib/plan/memory.h"
#include "lib/plan/order.h"
#include "lib/plan/plan.h"
#include "lib/plan/recompute.h"

namespace onecard {

namespace {

constexpr int kMostRecomputations = 512;

[[noreturn]] void fail_limit(const Plan& smallest, int64_t limit) {
  const MemorySummary& m = smallest.memory;
  std::ostringstream what;
  what << "the run needs at least " << m.peak_bytes << " bytes, the memory limit is " << limit << ": weights " << m.weights_bytes << ", arena " << m.arena_bytes << ", inputs and outputs "
       << m.io_bytes << ", staging " << m.staging_bytes << ", reserve " << m.reserve_bytes << "; give --memory-limit " << m.peak_bytes << " or more";
  Error e(ErrorKind::does_not_fit, what.str(), ErrorScope::text());
  e.smallest_feasible_bytes = m.peak_bytes;
  throw e;
}

struct Stage {
  std::vector<int> order;
  int64_t bound_bytes;
};

// The plan of smallest peak among the stages and `plan`.
Plan smallest_of(const std::vector<Stage>& stages, const StepList& list, const Device& device, Plan plan) {
  std::vector<size_t> by_bound;
  for (size_t i = 0; i < stages.size(); ++i) by_bound.push_back(i);
  std::stable_sort(by_bound.begin(), by_bound.end(), [&](size_t a, size_t b) { return stages[a].bound_bytes < stages[b].bound_bytes; });
  for (const size_t i : by_bound) {
    if (stages[i].bound_bytes >= plan.arena_bytes) break;
    Plan other = give_memory(list, make_timeline(list, stages[i].order), device);
    if (other.arena_bytes < plan.arena_bytes) plan = std::move(other);
  }
  return plan;
}

}  // namespace

Plan make_plan(const Graph& graph, const Device& device, const PlanOptions& options) {
  const StepList list = make_steps(graph, device, options.threads);
  Timeline start = best_order(list);
  Plan plan = give_memory(list, start, device);
  if (!options.memory_limit_bytes || plan.memory.peak_bytes <= *options.memory_limit_bytes) return plan;
  const int64_t limit = *options.memory_limit_bytes, arena_limit = limit - (plan.memory.peak_bytes - plan.arena_bytes);
  // The stages do not depend on the limit: the first that fits is taken, so the smallest of them all is feasible and nothing below it is.
  Recomputation recomputation(list, std::move(start));
  std::vector<Stage> stages;
  while (stages.size() < kMostRecomputations && recomputation.lower()) {
    const Timeline& now = recomputation.now();
    stages.push_back({now.order, now.bound_bytes});
    if (now.bound_bytes > arena_limit) continue;
    Plan next = give_memory(list, now, device);
    if (next.arena_bytes <= arena_limit) return next;
  }
  fail_limit(smallest_of(stages, list, device, std::move(plan)), limit);
}

}  // namespace onecard
