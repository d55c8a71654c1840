#include "lib/plan/memory.h"

#include <algorithm>
#include <set>

#include "lib/plan/arena.h"

namespace onecard {

namespace {

int root_of(const StepList& list, int buffer) {
  const int alias = list.buffers[static_cast<size_t>(buffer)].alias_of;
  return alias >= 0 ? alias : buffer;
}

// The last step that reads or writes each piece of memory; -1: none.
std::vector<int64_t> last_uses(const StepList& list) {
  std::vector<int64_t> last(list.buffers.size(), -1);
  for (size_t s = 0; s < list.steps.size(); ++s)
    for (const auto* side : {&list.steps[s].in, &list.steps[s].out})
      for (const int b : *side)
        if (b >= 0) last[static_cast<size_t>(root_of(list, b))] = static_cast<int64_t>(s);
  return last;
}

bool is_view_step(const PlanStep& s) { return s.step && s.step->view_of >= 0; }

// An output may take an input's place when that memory is in the arena, as large, and read by nobody later or elsewhere in the step.
void alias_in_place(StepList& list) {
  std::vector<int64_t> last = last_uses(list);
  for (size_t s = 0; s < list.steps.size(); ++s) {
    const PlanStep& step = list.steps[s];
    if (!step.step || is_view_step(step)) continue;
    std::set<int> taken;
    for (const auto& [out, in] : step.step->in_place) {
      if (out >= step.out.size() || in >= step.in.size() || step.in[in] < 0 || step.out[out] < 0) continue;
      Buffer& result = list.buffers[static_cast<size_t>(step.out[out])];
      const int root = root_of(list, step.in[in]);
      const Buffer& source = list.buffers[static_cast<size_t>(root)];
      const auto readers = std::count_if(step.in.begin(), step.in.end(), [&](int b) { return b >= 0 && root_of(list, b) == root; });
      const bool has_views = std::any_of(list.buffers.begin(), list.buffers.end(), [&](const Buffer& b) { return b.alias_of == step.out[out]; });
      if (result.kind != BufferKind::arena || result.alias_of >= 0 || source.kind != BufferKind::arena || taken.contains(root)) continue;
      if (last[static_cast<size_t>(root)] != static_cast<int64_t>(s) || readers != 1 || result.bytes != source.bytes) continue;
      // Views of the result now view the memory it took over.
      if (has_views)
        for (auto& b : list.buffers)
          if (b.alias_of == step.out[out]) b.alias_of = root;
      last[static_cast<size_t>(root)] = last[static_cast<size_t>(step.out[out])];
      result.alias_of = root;
      taken.insert(root);
    }
  }
}

}  // namespace

void settle_lifetimes(StepList& list) {
  alias_in_place(list);
  const auto end = static_cast<int64_t>(list.steps.size());
  for (auto& b : list.buffers) b.first = end, b.last = -1;
  const auto touch = [&](int buffer, int64_t step) {
    if (buffer < 0) return;
    for (const int i : {buffer, root_of(list, buffer)}) {
      Buffer& b = list.buffers[static_cast<size_t>(i)];
      b.first = std::min(b.first, step);
      b.last = std::max(b.last, step);
    }
  };
  for (size_t s = 0; s < list.steps.size(); ++s) {
    for (const int b : list.steps[s].in) touch(b, static_cast<int64_t>(s));
    for (const int b : list.steps[s].out) touch(b, static_cast<int64_t>(s));
    touch(list.steps[s].workspace, static_cast<int64_t>(s));
  }
  for (auto& b : list.buffers) {
    if (b.kind == BufferKind::input) b.first = 0;
    if (b.kind == BufferKind::output) b.last = end;
    if (b.last < 0) b.first = b.last = 0;             // nobody touches it
  }
}

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
  m.staging_bytes = largest_packed + std::min(kDecodeStagingBytes, 2 * largest);
  m.reserve_bytes = device.reserve_bytes();
  m.peak_bytes = m.weights_bytes + m.arena_bytes + m.io_bytes + m.staging_bytes + m.reserve_bytes;
  return m;
}

}  // namespace

int64_t arena_lower_bound(const StepList& list) { return most_live_bytes(arena_view(list).lifetimes); }

Plan give_memory(StepList list, const Device& device) {
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
