#include "lib/plan/memory.h"

#include <algorithm>

#include "lib/plan/arena.h"

namespace onecard {

namespace {

struct ArenaView {
  std::vector<Lifetime> lifetimes;
  std::vector<size_t> buffers;
};
ArenaView arena_view(const StepList& list) {
  ArenaView v;
  for (size_t i = 0; i < list.buffers.size(); ++i) {
    const Buffer& b = list.buffers[i];
    if (b.kind != BufferKind::arena || b.alias_of >= 0) continue;
    v.lifetimes.push_back({b.first, b.last, align_up(b.bytes)});
    v.buffers.push_back(i);
  }
  return v;
}

// The most bytes of the pool, as far as sizes are known, that are needed at one step.
int64_t pool_bytes(const Plan& plan) {
  std::vector<Lifetime> lives;
  for (const auto& b : plan.buffers)
    if (b.kind == BufferKind::pool && b.alias_of < 0 && b.bytes > 0) lives.push_back({b.first, b.last, b.bytes});
  return most_live_bytes(lives);
}

MemorySummary totals(const Plan& plan, const Device& device) {
  MemorySummary m;
  m.arena_bytes = plan.arena_bytes;
  m.arena_lower_bound_bytes = plan.arena_lower_bound_bytes;
  int64_t largest_packed = 0, largest = 0;
  for (const auto& w : plan.weights) {
    m.weights_bytes += w.bytes;
    largest = std::max(largest, w.bytes);
    if (w.pack) largest_packed = std::max(largest_packed, w.value->constant->bytes());
  }
  for (const auto& s : plan.steps)
    if (s.workspace >= 0) m.workspace_bytes = std::max(m.workspace_bytes, plan.buffers[static_cast<size_t>(s.workspace)].bytes);
  for (const auto& b : plan.buffers)
    if ((b.kind == BufferKind::input || b.kind == BufferKind::output) && b.alias_of < 0) m.io_bytes += b.bytes;
  m.pool_bytes = pool_bytes(plan);
  m.staging_bytes = largest_packed + std::min(kDecodeStagingBytes, 2 * largest);
  m.reserve_bytes = device.reserve_bytes();
  m.peak_bytes = m.weights_bytes + m.arena_bytes + m.io_bytes + m.pool_bytes + m.staging_bytes + m.reserve_bytes;
  return m;
}

}  // namespace

Plan give_memory(const StepList& steps, const Timeline& timeline, const Device& device) {
  StepList list = settled(steps, timeline);
  const ArenaView view = arena_view(list);
  const Placement placed = place_buffers(view.lifetimes);
  for (size_t i = 0; i < view.buffers.size(); ++i) list.buffers[view.buffers[i]].offset = placed.offsets[i];
  for (auto& b : list.buffers)
    if (b.kind == BufferKind::arena && b.alias_of >= 0) b.offset = list.buffers[static_cast<size_t>(b.alias_of)].offset;
  Plan plan;
  plan.steps = std::move(list.steps);
  plan.buffers = std::move(list.buffers);
  plan.weights = std::move(list.weights);
  plan.arena_bytes = placed.bytes;
  plan.arena_lower_bound_bytes = placed.lower_bound;
  plan.memory = totals(plan, device);
  return plan;
}

}  // namespace onecard
