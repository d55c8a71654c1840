#include "lib/plan/arena.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "lib/plan/arena_improve.h"
#include "lib/plan/arena_search.h"

namespace onecard {
namespace {

// Above this many pairs of buffers alive together, only the order of their beginnings is tried, which needs no list of pairs.
constexpr int64_t kMaxPairs = 2'000'000;
// Above this many buffers the exact search is not tried: it recurses once per buffer.
constexpr size_t kMostSearched = 1000;

// Buffers of [first, last] sorted by time, and for each the others that are alive at the same time.
class Problem {
 public:
  explicit Problem(std::span<const Lifetime> buffers) : buffers_(buffers.begin(), buffers.end()), neighbours_(buffers.size()) {
    std::vector<int> by_first(buffers_.size());
    std::iota(by_first.begin(), by_first.end(), 0);
    std::stable_sort(by_first.begin(), by_first.end(), [&](int a, int b) { return buffers_[a].first < buffers_[b].first; });
    std::vector<int> alive;
    for (int i : by_first) {
      if (buffers_[i].bytes == 0) continue;
      std::erase_if(alive, [&](int j) { return buffers_[j].last < buffers_[i].first; });
      for (int j : alive) {
        neighbours_[i].push_back(j);
        neighbours_[j].push_back(i);
      }
      alive.push_back(i);
    }
  }
  size_t size() const { return buffers_.size(); }
  const Lifetime& operator[](int i) const { return buffers_[i]; }
  const std::vector<int>& neighbours(int i) const { return neighbours_[i]; }
  const std::vector<std::vector<int>>& neighbours() const { return neighbours_; }

 private:
  std::vector<Lifetime> buffers_;
  std::vector<std::vector<int>> neighbours_;
};

enum class Fit { lowest, tightest };

// Places buffers one after another in the gaps that those placed before leave.
class Packer {
 public:
  explicit Packer(const Problem& problem) : problem_(problem) {}

  // The offset for buffer i: the lowest gap that is large enough, or the smallest such gap. `offsets` < 0: not placed yet.
  int64_t offset_for(int i, const std::vector<int64_t>& offsets, Fit fit) {
    taken_.clear();
    for (int j : problem_.neighbours(i)) {
      if (offsets[j] >= 0) taken_.emplace_back(offsets[j], offsets[j] + problem_[j].bytes);
    }
    std::sort(taken_.begin(), taken_.end());
    const int64_t bytes = problem_[i].bytes;
    int64_t end = 0, best = -1, best_gap = std::numeric_limits<int64_t>::max();
    for (const auto& [from, to] : taken_) {
      const int64_t gap = from - end;
      if (gap >= bytes && gap < best_gap) {
        best = end;
        best_gap = gap;
        if (fit == Fit::lowest || gap == bytes) return best;
      }
      end = std::max(end, to);
    }
    return best >= 0 ? best : end;
  }

  std::vector<int64_t> place(const std::vector<int>& order, Fit fit) {
    std::vector<int64_t> offsets(problem_.size(), -1);
    for (int i : order) offsets[i] = offset_for(i, offsets, fit);
    return offsets;
  }

 private:
  const Problem& problem_;
  std::vector<std::pair<int64_t, int64_t>> taken_;
};

int64_t height(std::span<const Lifetime> buffers, const std::vector<int64_t>& offsets) {
  int64_t h = 0;
  for (size_t i = 0; i < buffers.size(); ++i) h = std::max(h, offsets[i] + buffers[i].bytes);
  return h;
}

// Orders in which greedy placement does well on networks: large first, long-lived first, crowded first, as they come.
std::vector<std::vector<int>> greedy_orders(const Problem& problem) {
  std::vector<int> base(problem.size());
  std::iota(base.begin(), base.end(), 0);
  const auto sorted = [&](auto key) {
    std::vector<int> order = base;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return key(a) > key(b); });
    return order;
  };
  const auto length = [&](int i) { return static_cast<double>(problem[i].last - problem[i].first + 1); };
  const auto bytes = [&](int i) { return static_cast<double>(problem[i].bytes); };
  const auto crowd = [&](int i) {
    double sum = bytes(i);
    for (const int j : problem.neighbours(i)) sum += bytes(j);
    return sum;
  };
  return {sorted(bytes), sorted([&](int i) { return bytes(i) * length(i); }), sorted(length), sorted(crowd), sorted([&](int i) { return -static_cast<double>(problem[i].first); }),
          sorted([&](int i) { return static_cast<double>(problem[i].last); })};
}

}  // namespace

int64_t most_live_bytes(std::span<const Lifetime> buffers) {
  std::vector<std::pair<int64_t, int64_t>> events;    // step, change; what ends at a step is freed after it
  for (const auto& b : buffers) {
    events.emplace_back(2 * b.first, b.bytes);
    events.emplace_back(2 * b.last + 1, -b.bytes);
  }
  std::sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  int64_t live = 0, most = 0;
  for (const auto& [step, change] : events) most = std::max(most, live += change);
  return most;
}

namespace {

// How many pairs of buffers are alive at the same step.
int64_t pairs_together(std::span<const Lifetime> buffers) {
  std::vector<int64_t> firsts, lasts;
  for (const auto& b : buffers) {
    firsts.push_back(b.first);
    lasts.push_back(b.last);
  }
  std::sort(firsts.begin(), firsts.end());
  std::sort(lasts.begin(), lasts.end());
  int64_t pairs = 0;
  size_t ended = 0;
  for (size_t i = 0; i < firsts.size(); ++i) {
    while (lasts[ended] < firsts[i]) ++ended;
    pairs += static_cast<int64_t>(i - ended);
  }
  return pairs;
}

// In the order of their beginnings, each into the lowest gap that is large enough: needs no list of pairs.
std::vector<int64_t> place_in_time(std::span<const Lifetime> buffers) {
  std::vector<size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers[a].first < buffers[b].first; });
  std::vector<int64_t> offsets(buffers.size(), 0);
  std::vector<size_t> alive;                          // by offset
  for (const size_t i : order) {
    if (buffers[i].bytes == 0) continue;
    std::erase_if(alive, [&](size_t j) { return buffers[j].last < buffers[i].first; });
    int64_t end = 0;
    auto at = alive.begin();
    for (; at != alive.end() && offsets[*at] - end < buffers[i].bytes; ++at) end = offsets[*at] + buffers[*at].bytes;
    offsets[i] = end;
    alive.insert(at, i);
  }
  return offsets;
}

// Tries to reach the bound exactly; true when `placement` does.
bool reach_bound(std::span<const Lifetime> buffers, int64_t effort, Placement& placement) {
  if (buffers.size() > kMostSearched) return false;
  ArenaSearch search(buffers);
  constexpr ArenaSearch::Order kOrders[] = {ArenaSearch::Order::largest_area, ArenaSearch::Order::largest, ArenaSearch::Order::most_crowded, ArenaSearch::Order::widest};
  // Attempts are short, for an early wrong choice is never mended in time, and grow from round to round.
  int64_t attempt = std::min<int64_t>(effort / 8, 500'000);
  for (int round = 0; effort > 0; ++round, attempt += attempt / 4)
    for (const auto order : kOrders) {
      if (effort <= 0) break;
      const int64_t spent = std::min(attempt, effort);
      const double learned = round == 0 ? 0 : 0.3 + 0.7 * (round * 7 % 11) / 11;
      effort -= spent;
      const auto answer = search.fit(placement.lower_bound, order, learned, spent, placement.offsets);
      if (answer == ArenaSearch::Answer::none) return false;
      if (answer == ArenaSearch::Answer::found) {
        placement.bytes = placement.lower_bound;
        return true;
      }
    }
  return false;
}

}  // namespace

Placement place_buffers(std::span<const Lifetime> buffers, int64_t effort) {
  Placement best;
  best.lower_bound = most_live_bytes(buffers);
  best.offsets.assign(buffers.size(), 0);
  if (best.lower_bound == 0) return best;
  best.offsets = place_in_time(buffers);
  best.bytes = height(buffers, best.offsets);
  if (best.bytes == best.lower_bound || pairs_together(buffers) > kMaxPairs) return best;
  const Problem problem(buffers);
  Packer packer(problem);
  for (const auto& order : greedy_orders(problem))
    for (const Fit fit : {Fit::lowest, Fit::tightest}) {
      std::vector<int64_t> offsets = packer.place(order, fit);
      const int64_t h = height(buffers, offsets);
      if (h >= best.bytes) continue;
      best.bytes = h;
      best.offsets = std::move(offsets);
      if (h == best.lower_bound) return best;
    }
  if (best.bytes - best.lower_bound <= best.lower_bound / 100) effort /= 8;
  if (reach_bound(buffers, effort / 2, best)) return best;
  ArenaImprovement(buffers, problem.neighbours()).improve(effort / 2, best);
  return best;
}

}  // namespace onecard
