#include "lib/plan/order.h"

#include <algorithm>
#include <numeric>

namespace onecard {

namespace {

// How many of the steps that could run next are weighed against each other.
constexpr size_t kMostWeighed = 64;

enum class Rule {
  least,                                              // what leaves the fewest bytes live; the earlier of equals
  least_latest,                                       // the same; of equals the one that could run last, so that branches are run to their end
  frees_or_first,                                     // what frees most if anything does, else the graph's own order
};

class Scheduler {
 public:
  Scheduler(const StepList& list, Rule rule) : list_(list), rule_(rule), missing_(list.steps.size(), 0), readers_(list.buffers.size()), left_(list.buffers.size(), 0) {
    std::vector<int> maker(list.buffers.size(), -1);
    for (size_t s = 0; s < list.steps.size(); ++s)
      for (const int b : list.steps[s].out)
        if (b >= 0) maker[static_cast<size_t>(b)] = static_cast<int>(s);
    for (size_t s = 0; s < list.steps.size(); ++s)
      for (const int b : list.steps[s].in) {
        if (b < 0) continue;
        ++left_[root(b)];
        if (maker[static_cast<size_t>(b)] < 0) continue;
        readers_[static_cast<size_t>(b)].push_back(static_cast<int>(s));
        ++missing_[s];
      }
    for (size_t s = 0; s < list.steps.size(); ++s)
      if (missing_[s] == 0) ready_.push_back(static_cast<int>(s));
  }

  std::vector<int> run() {
    std::vector<int> order;
    while (!ready_.empty()) {
      const size_t k = pick();
      const int s = ready_[k];
      ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(k));
      order.push_back(s);
      for (const int b : list_.steps[static_cast<size_t>(s)].in)
        if (b >= 0) --left_[root(b)];
      for (const int b : list_.steps[static_cast<size_t>(s)].out)
        if (b >= 0)
          for (const int r : readers_[static_cast<size_t>(b)])
            if (--missing_[static_cast<size_t>(r)] == 0) ready_.push_back(r);
    }
    return order;
  }

 private:
  size_t root(int buffer) const {
    const int alias = list_.buffers[static_cast<size_t>(buffer)].alias_of;
    return static_cast<size_t>(alias >= 0 ? alias : buffer);
  }

  // Arena bytes that running the step adds, less those it frees.
  int64_t growth(int s) const {
    const PlanStep& step = list_.steps[static_cast<size_t>(s)];
    int64_t bytes = 0;
    for (const int b : step.out) {
      if (b < 0) continue;
      const Buffer& made = list_.buffers[static_cast<size_t>(b)];
      if (made.kind == BufferKind::arena && made.alias_of < 0 && !readers_[static_cast<size_t>(b)].empty()) bytes += made.bytes;
    }
    for (size_t i = 0; i < step.in.size(); ++i) {
      if (step.in[i] < 0) continue;
      const size_t r = root(step.in[i]);
      if (list_.buffers[r].kind != BufferKind::arena) continue;
      int64_t own = 0;
      bool seen = false;
      for (size_t j = 0; j < step.in.size(); ++j) {
        if (step.in[j] < 0 || root(step.in[j]) != r) continue;
        seen = seen || j < i;
        ++own;
      }
      if (!seen && left_[r] == own) bytes -= list_.buffers[r].bytes;
    }
    // A view that is read later keeps its root: its readers are counted in left_ already.
    return bytes;
  }

  // Index into ready_, which is kept in the order in which the steps became ready.
  size_t pick() const {
    const size_t weighed = std::min(ready_.size(), kMostWeighed), from = rule_ == Rule::least_latest ? ready_.size() - weighed : 0;
    size_t best = from;
    int64_t best_growth = growth(ready_[from]);
    size_t first = from;                              // the earliest in the graph's order
    for (size_t k = from + 1; k < from + weighed; ++k) {
      const int64_t g = growth(ready_[k]);
      if (ready_[k] < ready_[first]) first = k;
      const bool wins = rule_ == Rule::least_latest ? g <= best_growth : g < best_growth || (g == best_growth && ready_[k] < ready_[best]);
      if (!wins) continue;
      best = k;
      best_growth = g;
    }
    return rule_ == Rule::frees_or_first && best_growth >= 0 ? first : best;
  }

  const StepList& list_;
  Rule rule_;
  std::vector<int> missing_;                          // per step: inputs not made yet
  std::vector<std::vector<int>> readers_;             // per buffer
  std::vector<int64_t> left_;                         // per memory: reads to come
  std::vector<int> ready_;
};

}  // namespace

Timeline best_order(const StepList& list) {
  std::vector<int> own(list.steps.size());
  std::iota(own.begin(), own.end(), 0);
  Timeline best = make_timeline(list, std::move(own));
  for (const Rule rule : {Rule::least, Rule::least_latest, Rule::frees_or_first}) {
    std::vector<int> order = Scheduler(list, rule).run();
    require(order.size() == list.steps.size(), ErrorKind::internal, "the steps of the plan wait for each other");
    Timeline t = make_timeline(list, std::move(order));
    if (t.bound_bytes < best.bound_bytes) best = std::move(t);
  }
  return best;
}

}  // namespace onecard
