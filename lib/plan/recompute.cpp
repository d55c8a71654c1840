#include "lib/plan/recompute.h"

#include <algorithm>

#include "lib/plan/memory.h"

namespace onecard {

namespace {

// The first step at which the most arena bytes are live.
int64_t peak_step(const StepList& settled) {
  std::vector<int64_t> change(settled.steps.size() + 2, 0);
  for (const auto& b : settled.buffers) {
    if (b.kind != BufferKind::arena || b.alias_of >= 0) continue;
    change[static_cast<size_t>(b.first)] += align_up(b.bytes);
    change[static_cast<size_t>(b.last) + 1] -= align_up(b.bytes);
  }
  int64_t live = 0, most = -1, at = 0;
  for (size_t s = 0; s < settled.steps.size(); ++s)
    if ((live += change[s]) > most) most = live, at = static_cast<int64_t>(s);
  return at;
}

// A value kept from step `made` across the peak to step `needed`.
struct Candidate {
  size_t made, needed;
  int buffer;
  double flops;
};

bool may_run_again(const PlanStep& s) {
  return s.step && s.step->view_of < 0 && !s.dynamic && s.out.size() == 1 && s.node && s.node->op->is_pure();
}

std::vector<Candidate> candidates(const StepList& list, int64_t peak) {
  std::vector<Candidate> found;
  for (size_t s = 0; s < list.steps.size() && static_cast<int64_t>(s) < peak; ++s) {
    const PlanStep& step = list.steps[s];
    if (!may_run_again(step) || list.buffers[static_cast<size_t>(step.out[0])].kind != BufferKind::arena) continue;
    const int b = step.out[0];
    // A view of the value would have to move to the new copy as well: leave such values where they are.
    if (std::any_of(list.buffers.begin(), list.buffers.end(), [&](const Buffer& v) { return v.alias_of == b; })) continue;
    std::vector<size_t> uses;
    for (size_t u = s + 1; u < list.steps.size(); ++u)
      if (std::count(list.steps[u].in.begin(), list.steps[u].in.end(), b)) uses.push_back(u);
    const auto after = std::find_if(uses.begin(), uses.end(), [&](size_t u) { return static_cast<int64_t>(u) > peak; });
    const bool at_peak = std::count(uses.begin(), uses.end(), static_cast<size_t>(peak)) > 0;
    if (after == uses.end() || at_peak) continue;
    found.push_back({s, *after, b, step.step->flops});
  }
  return found;
}

// The list with the candidate made again before its use after the peak.
StepList with_copy(const StepList& list, const Candidate& c) {
  StepList out = list;
  Buffer again = list.buffers[static_cast<size_t>(c.buffer)];
  out.buffers.push_back(again);
  const int fresh = static_cast<int>(out.buffers.size()) - 1;
  for (size_t u = c.needed; u < out.steps.size(); ++u) std::replace(out.steps[u].in.begin(), out.steps[u].in.end(), c.buffer, fresh);
  PlanStep step = list.steps[c.made];
  step.out[0] = fresh;
  step.recomputed = true;
  if (step.workspace >= 0) {
    out.buffers.push_back(list.buffers[static_cast<size_t>(step.workspace)]);
    step.workspace = static_cast<int>(out.buffers.size()) - 1;
  }
  out.steps.insert(out.steps.begin() + static_cast<std::ptrdiff_t>(c.needed), std::move(step));
  return out;
}

int64_t settled_bound(StepList list) {
  settle_lifetimes(list);
  return arena_lower_bound(list);
}

}  // namespace

bool recompute_one(StepList& list, double& flops_left) {
  StepList settled = list;
  settle_lifetimes(settled);
  const int64_t bound = arena_lower_bound(settled);
  std::vector<Candidate> tried = candidates(list, peak_step(settled));
  std::stable_sort(tried.begin(), tried.end(), [](const Candidate& a, const Candidate& b) { return a.flops < b.flops; });
  std::optional<StepList> best;
  int64_t best_bound = bound;
  double best_flops = 0;
  for (const auto& c : tried) {
    if (c.flops > flops_left) continue;
    if (best && c.flops > best_flops) break;          // cheaper ones helped: take the best of those
    StepList attempt = with_copy(list, c);
    const int64_t got = settled_bound(attempt);
    if (got >= best_bound) continue;
    best_bound = got;
    best_flops = c.flops;
    best = std::move(attempt);
  }
  if (!best) return false;
  flops_left -= best_flops;
  list = std::move(*best);
  return true;
}

}  // namespace onecard
