#include <algorithm>
#include <set>

#include "lib/plan/plan.h"

// Shares no code with the planner: what it promises is checked from the plan alone.
namespace onecard {

namespace {

class Validator {
 public:
  explicit Validator(const Plan& plan) : plan_(plan) {}

  void run() {
    for (size_t i = 0; i < plan_.buffers.size(); ++i) check_buffer(i);
    check_overlaps();
    valid_.resize(plan_.buffers.size());
    for (size_t i = 0; i < plan_.buffers.size(); ++i)
      if (source(i)) valid_[root(i)].insert(i);
    for (size_t s = 0; s < plan_.steps.size(); ++s) check_step(s);
    check_outputs();
    check_bound();
    check_totals();
  }

 private:
  template <class... Parts>
  void need(bool ok, const Parts&... parts) const { require(ok, ErrorKind::internal, "the plan is wrong: ", parts...); }
  const Buffer& buffer(size_t i) const { return plan_.buffers[i]; }
  size_t root(size_t i) const { return buffer(i).alias_of >= 0 ? static_cast<size_t>(buffer(i).alias_of) : i; }
  // Holds its contents before the first step.
  bool source(size_t i) const { return (buffer(i).kind == BufferKind::input || buffer(i).kind == BufferKind::weight) && buffer(i).alias_of < 0; }
  static int64_t rounded(int64_t bytes) { return (bytes + 63) / 64 * 64; }

  void check_buffer(size_t i) const {
    const Buffer& b = buffer(i);
    need(b.bytes >= 0 && b.first <= b.last, "buffer ", i, " (", b.value, ") has ", b.bytes, " bytes from step ", b.first, " to ", b.last);
    if (b.alias_of >= 0) {
      need(static_cast<size_t>(b.alias_of) < plan_.buffers.size() && static_cast<size_t>(b.alias_of) != i, "buffer ", i, " aliases ", b.alias_of);
      const Buffer& r = buffer(root(i));
      need(r.alias_of < 0, "buffer ", i, " aliases an alias");
      need(b.kind == r.kind, "buffer ", i, " aliases another kind of memory");
      need(b.bytes <= r.bytes, "buffer ", i, " of ", b.bytes, " bytes aliases one of ", r.bytes);
      need(r.first <= b.first && b.last <= r.last, "buffer ", i, " outlives what it aliases");
      if (b.kind == BufferKind::arena) need(b.offset == r.offset, "buffer ", i, " lies elsewhere than what it aliases");
    }
    if (b.kind != BufferKind::arena) return;
    need(b.offset >= 0 && b.offset % kAlignment == 0, "buffer ", i, " (", b.value, ") is at offset ", b.offset);
    need(b.bytes <= plan_.arena_bytes - b.offset, "buffer ", i, " (", b.value, ") ends after the arena");
    need(b.first >= 0 && b.last < std::max<int64_t>(1, static_cast<int64_t>(plan_.steps.size())), "buffer ", i, " lives outside the plan");
  }

  void check_overlaps() const {
    std::vector<size_t> roots;
    for (size_t i = 0; i < plan_.buffers.size(); ++i)
      if (buffer(i).kind == BufferKind::arena && buffer(i).alias_of < 0 && buffer(i).bytes > 0) roots.push_back(i);
    std::sort(roots.begin(), roots.end(), [&](size_t a, size_t b) { return buffer(a).first < buffer(b).first; });
    for (size_t x = 0; x < roots.size(); ++x)
      for (size_t y = x + 1; y < roots.size() && buffer(roots[y]).first <= buffer(roots[x]).last; ++y) {
        const Buffer &a = buffer(roots[x]), &b = buffer(roots[y]);
        need(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset, a.value, " and ", b.value, " overlap in memory while both are needed");
      }
  }

  // What a step reads must be the last thing written there; a view adds a reader, any other write drops the old contents.
  void check_step(size_t s) {
    const PlanStep& step = plan_.steps[s];
    const auto at = static_cast<int64_t>(s);
    const auto within = [&](int b) {
      if (b < 0) return false;
      need(static_cast<size_t>(b) < plan_.buffers.size(), "step ", s, " names buffer ", b);
      const Buffer& r = buffer(root(static_cast<size_t>(b)));
      if (r.kind == BufferKind::arena) need(r.first <= at && at <= r.last, "step ", s, " (", step.kernel, ") uses ", r.value, " outside its lifetime");
      return true;
    };
    need(step.dynamic || step.step, "step ", s, " has nothing to launch");
    for (const int b : step.in)
      if (within(b)) need(valid_[root(static_cast<size_t>(b))].contains(static_cast<size_t>(b)), "step ", s, " (", step.kernel, ") reads ", buffer(static_cast<size_t>(b)).value, ", which is not there");
    if (within(step.workspace)) {
      const auto w = root(static_cast<size_t>(step.workspace));
      for (const auto* side : {&step.in, &step.out})
        for (const int b : *side) need(b < 0 || root(static_cast<size_t>(b)) != w, "the workspace of step ", s, " is one of its tensors");
    }
    const bool view = step.step && step.step->view_of >= 0;
    for (size_t k = 0; k < step.out.size(); ++k) {
      const int b = step.out[k];
      if (!within(b)) continue;
      const auto i = static_cast<size_t>(b), r = root(i);
      need(buffer(i).kind != BufferKind::weight || view, "step ", s, " writes a weight");
      if (!(view && k == 0)) {
        if (buffer(i).alias_of >= 0) check_in_place(step, s, k);
        valid_[r].clear();
      }
      valid_[r].insert(i);
    }
  }

  void check_in_place(const PlanStep& step, size_t s, size_t out) const {
    const size_t r = root(static_cast<size_t>(step.out[out]));
    const bool allowed = std::any_of(step.step->in_place.begin(), step.step->in_place.end(), [&](const auto& pair) {
      return pair.first == out && pair.second < step.in.size() && step.in[pair.second] >= 0 && root(static_cast<size_t>(step.in[pair.second])) == r;
    });
    need(allowed, "step ", s, " (", step.kernel, ") writes over ", buffer(r).value);
    // The kernel may write before it has read all of another input.
    const auto readers = std::count_if(step.in.begin(), step.in.end(), [&](int b) { return b >= 0 && root(static_cast<size_t>(b)) == r; });
    need(readers == 1, "step ", s, " (", step.kernel, ") writes over ", buffer(r).value, ", which it reads a second time");
  }

  // Every output tensor is written, by one buffer, and nothing has gone over it since.
  void check_outputs() const {
    std::set<int64_t> seen;
    for (size_t i = 0; i < plan_.buffers.size(); ++i) {
      const Buffer& b = buffer(i);
      if (b.kind != BufferKind::output || b.alias_of >= 0) continue;
      need(seen.insert(b.index).second, "two buffers are output ", b.index);
      need(b.bytes == 0 || valid_[i].contains(i), "output ", b.index, " (", b.value, ") is not there at the end");
    }
  }

  void check_bound() const {
    std::vector<int64_t> live(plan_.steps.size() + 1, 0);
    for (const auto& b : plan_.buffers)
      if (b.kind == BufferKind::arena && b.alias_of < 0)
        for (int64_t s = b.first; s <= b.last; ++s) live[static_cast<size_t>(s)] += rounded(b.bytes);
    const int64_t bound = *std::max_element(live.begin(), live.end());
    need(plan_.arena_lower_bound_bytes == bound, "the lower bound is ", bound, ", the plan says ", plan_.arena_lower_bound_bytes);
    need(plan_.arena_bytes >= bound, "the arena of ", plan_.arena_bytes, " bytes is below its bound");
  }

  void check_totals() const {
    const MemorySummary& m = plan_.memory;
    int64_t weights = 0, io = 0, workspace = 0;
    for (const auto& w : plan_.weights) weights += w.bytes;
    for (const auto& b : plan_.buffers)
      if (b.alias_of < 0 && (b.kind == BufferKind::input || b.kind == BufferKind::output)) io += b.bytes;
    for (const auto& s : plan_.steps)
      if (s.workspace >= 0) workspace = std::max(workspace, buffer(static_cast<size_t>(s.workspace)).bytes);
    need(m.io_bytes == io && m.workspace_bytes == workspace, "its figures for inputs and outputs or for workspaces differ from its buffers");
    need(m.weights_bytes == weights && m.arena_bytes == plan_.arena_bytes && m.arena_lower_bound_bytes == plan_.arena_lower_bound_bytes, "its memory figures differ from its buffers");
    need(m.peak_bytes == m.weights_bytes + m.arena_bytes + m.io_bytes + m.pool_bytes + m.staging_bytes + m.reserve_bytes, "its peak is not the sum of its parts");
  }

  const Plan& plan_;
  std::vector<std::set<size_t>> valid_;               // per root: the buffers whose contents it holds now
};

}  // namespace

void validate(const Plan& plan) { Validator(plan).run(); }

}  // namespace onecard
