#include "lib/plan/timeline.h"

#include <algorithm>

namespace onecard {

namespace {

bool is_view(const PlanStep& s) { return s.step && s.step->view_of >= 0; }

class Simulation {
 public:
  Simulation(const StepList& list, std::vector<int> order) : list_(list) { t_.order = std::move(order); }

  Timeline run() {
    const size_t n = list_.buffers.size();
    t_.versions.reserve(n + 16);
    for (size_t b = 0; b < n; ++b) add_version(static_cast<int>(b));
    current_.resize(n);
    for (size_t b = 0; b < n; ++b) current_[b] = static_cast<int>(b);
    for (size_t p = 0; p < t_.order.size(); ++p) walk(static_cast<int64_t>(p));
    t_.slots_begin.push_back(t_.slots.size());
    find_contents_ends();
    for (size_t p = 0; p < t_.order.size(); ++p) alias_in_place(static_cast<int64_t>(p));
    find_memory_lives();
    find_bound();
    return std::move(t_);
  }

 private:
  const PlanStep& step_at(int64_t p) const { return list_.steps[static_cast<size_t>(t_.order[static_cast<size_t>(p)])]; }
  const Buffer& buffer_of(int version) const { return list_.buffers[static_cast<size_t>(t_.versions[static_cast<size_t>(version)].buffer)]; }
  int add_version(int buffer) {
    const int v = static_cast<int>(t_.versions.size());
    t_.versions.push_back({buffer, -1, -1, v, v});
    return v;
  }
  void touch(int version, int64_t p) {
    Timeline::Version& v = t_.versions[static_cast<size_t>(version)];
    if (v.first < 0) v.first = p;
    v.last = p;
    t_.slots.push_back(version);
  }
  // The version a run at position p writes: the buffer's own the first time, a new one after that.
  int written(int buffer, int64_t p) {
    int& now = current_[static_cast<size_t>(buffer)];
    if (made_.empty()) made_.assign(list_.buffers.size(), false);
    if (made_[static_cast<size_t>(buffer)]) now = add_version(buffer);
    made_[static_cast<size_t>(buffer)] = true;
    touch(now, p);
    return now;
  }

  void walk(int64_t p) {
    const PlanStep& s = step_at(p);
    t_.slots_begin.push_back(t_.slots.size());
    for (const int b : s.in) {
      if (b < 0) t_.slots.push_back(-1);
      else touch(current_[static_cast<size_t>(b)], p);
    }
    const int viewed = is_view(s) ? t_.slots[t_.slots_begin.back() + static_cast<size_t>(s.step->view_of)] : -1;
    for (size_t k = 0; k < s.out.size(); ++k) {
      if (s.out[k] < 0) {
        t_.slots.push_back(-1);
        continue;
      }
      const int v = written(s.out[k], p);
      if (k == 0 && viewed >= 0) t_.versions[static_cast<size_t>(v)].contents = t_.versions[static_cast<size_t>(viewed)].contents;
    }
    if (s.workspace >= 0) written(s.workspace, p);
    else t_.slots.push_back(-1);
  }

  void find_contents_ends() {
    const auto end = static_cast<int64_t>(t_.order.size());
    t_.contents_last.assign(t_.versions.size(), -1);
    for (size_t v = 0; v < t_.versions.size(); ++v) {
      Timeline::Version& version = t_.versions[v];
      version.memory = version.contents;
      int64_t& last = t_.contents_last[static_cast<size_t>(version.contents)];
      last = std::max(last, buffer_of(static_cast<int>(v)).kind == BufferKind::output ? end : version.last);
    }
  }

  // An output may take an input's place when that memory is in the arena, as large, and read by nobody later or elsewhere in the step.
  void alias_in_place(int64_t p) {
    const PlanStep& s = step_at(p);
    if (!s.step || is_view(s)) return;
    const size_t begin = t_.slots_begin[static_cast<size_t>(p)];
    std::vector<int> taken;
    for (const auto& [out, in] : s.step->in_place) {
      if (out >= s.out.size() || in >= s.in.size() || s.in[in] < 0 || s.out[out] < 0) continue;
      const int result = t_.slots[begin + s.in.size() + out];
      const int source = t_.versions[static_cast<size_t>(t_.slots[begin + in])].contents;
      const auto readers = std::count_if(t_.slots.begin() + static_cast<std::ptrdiff_t>(begin), t_.slots.begin() + static_cast<std::ptrdiff_t>(begin + s.in.size()),
                                         [&](int v) { return v >= 0 && t_.versions[static_cast<size_t>(v)].contents == source; });
      if (buffer_of(result).kind != BufferKind::arena || buffer_of(source).kind != BufferKind::arena || buffer_of(result).bytes != buffer_of(source).bytes) continue;
      if (readers != 1 || t_.contents_last[static_cast<size_t>(source)] != p || std::count(taken.begin(), taken.end(), source)) continue;
      if (t_.versions[static_cast<size_t>(result)].memory != result) continue;
      t_.versions[static_cast<size_t>(result)].memory = t_.versions[static_cast<size_t>(source)].memory;
      taken.push_back(source);
    }
  }

  void find_memory_lives() {
    t_.memory_life.assign(t_.versions.size(), {0, -1});
    for (auto& v : t_.versions) {
      v.memory = t_.versions[static_cast<size_t>(v.contents)].memory;  // a view of an in-place result
      if (v.first < 0) continue;
      auto& [first, last] = t_.memory_life[static_cast<size_t>(v.memory)];
      first = last < 0 ? v.first : std::min(first, v.first);
      last = std::max(last, v.last);
    }
  }

  void find_bound() {
    std::vector<int64_t> change(t_.order.size() + 1, 0);
    for (size_t v = 0; v < t_.versions.size(); ++v) {
      const Buffer& b = buffer_of(static_cast<int>(v));
      if (b.kind != BufferKind::arena || t_.versions[v].memory != static_cast<int>(v)) continue;
      const auto [first, last] = t_.memory_life[v];
      if (last < 0) continue;
      change[static_cast<size_t>(first)] += align_up(b.bytes);
      change[static_cast<size_t>(last) + 1] -= align_up(b.bytes);
    }
    int64_t live = 0;
    for (size_t p = 0; p < t_.order.size(); ++p) {
      live += change[p];
      if (live > t_.bound_bytes) {
        t_.bound_bytes = live;
        t_.peak = static_cast<int64_t>(p);
        t_.peaks = 0;
      }
      t_.peaks += live == t_.bound_bytes;
    }
  }

  const StepList& list_;
  Timeline t_;
  std::vector<int> current_;                          // per buffer: the latest version
  std::vector<bool> made_;                            // per buffer: some run wrote it already
};

}  // namespace

Timeline make_timeline(const StepList& list, std::vector<int> order) { return Simulation(list, std::move(order)).run(); }

StepList settled(const StepList& list, const Timeline& timeline) {
  StepList out;
  out.weights = list.weights;
  const auto end = static_cast<int64_t>(timeline.order.size());
  for (size_t v = 0; v < timeline.versions.size(); ++v) {
    const auto& version = timeline.versions[v];
    Buffer b = list.buffers[static_cast<size_t>(version.buffer)];
    b.alias_of = version.memory == static_cast<int>(v) ? -1 : version.memory;
    const auto life = b.alias_of < 0 ? timeline.memory_life[v] : std::pair(version.first, version.last);
    b.first = b.kind == BufferKind::input ? 0 : life.first;
    b.last = b.kind == BufferKind::output ? end : life.second;
    if (b.last < 0) b.first = b.last = 0;             // nobody touches it
    if (b.first < 0) b.first = b.last;
    out.buffers.push_back(std::move(b));
  }
  for (const int b : list.pooled_outputs) out.buffers[static_cast<size_t>(b)].last = end;
  std::vector<bool> ran(list.steps.size(), false);
  for (size_t p = 0; p < timeline.order.size(); ++p) {
    const auto s = static_cast<size_t>(timeline.order[p]);
    PlanStep step = list.steps[s];
    const int* slot = timeline.slots.data() + timeline.slots_begin[p];
    for (auto* side : {&step.in, &step.out})
      for (int& b : *side) b = *slot++;
    step.workspace = *slot;
    step.recomputed = ran[s];
    ran[s] = true;
    out.steps.push_back(std::move(step));
  }
  return out;
}

}  // namespace onecard
