#include "lib/plan/recompute.h"

#include <algorithm>

namespace onecard {

namespace {

// A byte moved costs about as much as so many operations of a large product.
constexpr double kWorkPerByte = 4;
// Of the choices at one peak, how many are tried in full; how long a chain of steps may be made again for one value.
constexpr size_t kMostTried = 32;
constexpr int kDepths[] = {0, 1, 3, 8, 24};
constexpr int kReachOfStep = 64, kMostCalls = 512;    // a view counts 1

bool is_view(const PlanStep& s) { return s.step && s.step->view_of >= 0; }

// Whether the step may run twice: equal inputs give equal outputs, and those lie in the arena.
bool repeatable(const StepList& list, const PlanStep& s) {
  if (s.dynamic || !s.step || (s.node && !s.node->op->is_pure())) return false;
  return std::all_of(s.out.begin(), s.out.end(), [&](int b) { return b < 0 || list.buffers[static_cast<size_t>(b)].kind == BufferKind::arena; });
}

}  // namespace

Recomputation::Recomputation(const StepList& list, Timeline start) : list_(list), now_(std::move(start)), maker_(list.buffers.size(), -1) {
  for (size_t s = 0; s < list.steps.size(); ++s) {
    const PlanStep& step = list.steps[s];
    double work = is_view(step) || !step.step ? 0 : step.step->flops;
    for (const auto* side : {&step.in, &step.out})
      for (const int b : *side)
        if (b >= 0 && !is_view(step)) work += kWorkPerByte * static_cast<double>(list.buffers[static_cast<size_t>(b)].bytes);
    for (const int b : step.out)
      if (b >= 0) maker_[static_cast<size_t>(b)] = static_cast<int>(s);
    work_.push_back(work);
    work_left_ += work;
  }
}

// Contents in the arena that are needed before and after the peak, but not there.
std::vector<int> Recomputation::idle_at_peak() const {
  std::vector<bool> touched(now_.versions.size(), false);
  const auto p = static_cast<size_t>(now_.peak);
  for (size_t k = now_.slots_begin[p]; k < now_.slots_begin[p + 1]; ++k)
    if (now_.slots[k] >= 0) touched[static_cast<size_t>(now_.versions[static_cast<size_t>(now_.slots[k])].contents)] = true;
  std::vector<int> idle;
  for (size_t v = 0; v < now_.versions.size(); ++v) {
    const auto& version = now_.versions[v];
    if (version.contents != static_cast<int>(v) || version.first < 0 || touched[v]) continue;
    const Buffer& b = list_.buffers[static_cast<size_t>(version.buffer)];
    if (b.kind == BufferKind::arena && b.bytes > 0 && version.first < now_.peak && now_.contents_last[v] > now_.peak) idle.push_back(static_cast<int>(v));
  }
  return idle;
}

// Whether the buffer's contents can be read at position `at` without being kept longer than now, `contents` being dropped.
bool Recomputation::at_hand(int buffer, int64_t at, int contents) const {
  const Buffer& b = list_.buffers[static_cast<size_t>(buffer)];
  if (b.kind == BufferKind::input || b.kind == BufferKind::weight || b.kind == BufferKind::output) return true;
  int latest = -1;
  for (const int v : versions_of_[static_cast<size_t>(buffer)])
    if (now_.versions[static_cast<size_t>(v)].first >= 0 && now_.versions[static_cast<size_t>(v)].first < at) latest = v;
  if (latest < 0) return false;
  const int of = now_.versions[static_cast<size_t>(latest)].contents;
  return of != contents && now_.contents_last[static_cast<size_t>(of)] >= at;
}

// Appends the steps that make `buffer` again: its own, after those of inputs that are gone, as far back as `reach` goes. An input further back
// is kept until then instead.
bool Recomputation::extend(Chain& chain, int buffer, int reach) const {
  const int s = maker_[static_cast<size_t>(buffer)];
  if (s < 0 || --chain.calls_left < 0 || !repeatable(list_, list_.steps[static_cast<size_t>(s)])) return false;
  if (std::count(chain.steps.begin(), chain.steps.end(), s)) return true;
  const PlanStep& step = list_.steps[static_cast<size_t>(s)];
  const int cost = is_view(step) ? 1 : kReachOfStep;
  const size_t before = chain.steps.size();
  for (const int b : step.in) {
    if (b < 0 || at_hand(b, chain.at, chain.contents)) continue;
    if (list_.buffers[static_cast<size_t>(b)].kind == BufferKind::pool) {
      chain.steps.resize(before);
      return false;
    }
    if (reach >= cost) (void)extend(chain, b, reach - cost);
  }
  chain.steps.push_back(s);
  return true;
}

// What it takes to make all that is read of these contents after the peak again, each value before its first use.
bool Recomputation::remake(int contents, int depth, Choice& choice) const {
  std::vector<std::pair<int64_t, int>> needed;        // first position after the peak that reads it, buffer
  for (int64_t p = now_.peak + 1; p <= now_.contents_last[static_cast<size_t>(contents)] && p < static_cast<int64_t>(now_.order.size()); ++p) {
    const size_t begin = now_.slots_begin[static_cast<size_t>(p)];
    const size_t inputs = list_.steps[static_cast<size_t>(now_.order[static_cast<size_t>(p)])].in.size();
    for (size_t k = begin; k < begin + inputs; ++k) {
      if (now_.slots[k] < 0 || now_.versions[static_cast<size_t>(now_.slots[k])].contents != contents) continue;
      const int b = now_.versions[static_cast<size_t>(now_.slots[k])].buffer;
      if (std::none_of(needed.begin(), needed.end(), [&](const auto& n) { return n.second == b; })) needed.emplace_back(p, b);
    }
  }
  std::vector<int> done;
  for (const auto& [p, b] : needed) {
    if (std::count(done.begin(), done.end(), maker_[static_cast<size_t>(b)])) continue;
    Chain chain{contents, p, kMostCalls, done};
    if (!extend(chain, b, depth * kReachOfStep + kReachOfStep / 2)) return false;
    std::vector<int> steps(chain.steps.begin() + static_cast<std::ptrdiff_t>(done.size()), chain.steps.end());
    for (const int s : steps) choice.work += work_[static_cast<size_t>(s)];
    done.insert(done.end(), steps.begin(), steps.end());
    choice.again.emplace_back(p, std::move(steps));
  }
  choice.bytes = list_.buffers[static_cast<size_t>(now_.versions[static_cast<size_t>(contents)].buffer)].bytes;
  return !choice.again.empty() && choice.work <= work_left_;
}

std::vector<Recomputation::Choice> Recomputation::choices() const {
  std::vector<Choice> found;
  for (const int contents : idle_at_peak())
    for (const int depth : kDepths) {
      Choice c;
      if (!remake(contents, depth, c)) continue;
      if (!found.empty() && found.back().again == c.again) continue;  // no deeper than the last
      found.push_back(std::move(c));
    }
  std::stable_sort(found.begin(), found.end(), [](const Choice& a, const Choice& b) {
    return static_cast<double>(a.bytes) * (b.work + 1) > static_cast<double>(b.bytes) * (a.work + 1);
  });
  if (found.size() > kMostTried) found.resize(kMostTried);
  return found;
}

std::vector<int> Recomputation::order_with(const Choice& choice) const {
  std::vector<int> order;
  auto next = choice.again.begin();
  for (size_t p = 0; p < now_.order.size(); ++p) {
    for (; next != choice.again.end() && next->first == static_cast<int64_t>(p); ++next) order.insert(order.end(), next->second.begin(), next->second.end());
    order.push_back(now_.order[p]);
  }
  return order;
}

bool Recomputation::lower() {
  if (now_.order.empty()) return false;
  versions_of_.assign(list_.buffers.size(), {});
  for (size_t v = 0; v < now_.versions.size(); ++v) versions_of_[static_cast<size_t>(now_.versions[v].buffer)].push_back(static_cast<int>(v));
  for (const Choice& c : choices()) {
    Timeline t = make_timeline(list_, order_with(c));
    if (t.bound_bytes > now_.bound_bytes || (t.bound_bytes == now_.bound_bytes && t.peaks >= now_.peaks)) continue;
    now_ = std::move(t);
    work_left_ -= c.work;
    return true;
  }
  return false;
}

}  // namespace onecard
