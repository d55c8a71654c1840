#include "lib/plan/memory.h"
#include "lib/plan/plan.h"
#include "lib/plan/recompute.h"

namespace onecard {

namespace {

constexpr int kMostRecomputations = 256;

Plan finished(StepList list, const Device& device) {
  settle_lifetimes(list);
  return give_memory(std::move(list), device);
}

[[noreturn]] void fail_limit(const Plan& smallest, int64_t limit) {
  const MemorySummary& m = smallest.memory;
  std::ostringstream what;
  what << "the run needs at least " << m.peak_bytes << " bytes, the memory limit is " << limit << ": weights " << m.weights_bytes << ", arena " << m.arena_bytes << ", inputs and outputs "
       << m.io_bytes << ", staging " << m.staging_bytes << ", reserve " << m.reserve_bytes << "; give --memory-limit " << m.peak_bytes << " or more";
  Error e(ErrorKind::does_not_fit, what.str(), ErrorScope::text());
  e.smallest_feasible_bytes = m.peak_bytes;
  throw e;
}

}  // namespace

Plan make_plan(const Graph& graph, const Device& device, const PlanOptions& options) {
  StepList list = make_steps(graph, device, options.threads);
  Plan plan = finished(list, device);
  if (!options.memory_limit_bytes || plan.memory.peak_bytes <= *options.memory_limit_bytes) return plan;
  double flops_left = 0;
  for (const auto& s : list.steps) flops_left += s.step ? s.step->flops : 0;
  // Each plan on the way is a candidate: the first that fits is taken, and the smallest seen names what is feasible.
  for (int i = 0; i < kMostRecomputations && recompute_one(list, flops_left); ++i) {
    Plan next = finished(list, device);
    if (next.memory.peak_bytes < plan.memory.peak_bytes) plan = std::move(next);
    if (plan.memory.peak_bytes <= *options.memory_limit_bytes) return plan;
  }
  fail_limit(plan, *options.memory_limit_bytes);
}

}  // namespace onecard
