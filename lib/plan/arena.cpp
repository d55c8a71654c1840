#include "lib/plan/arena.h"

#include <algorithm>
#include <limits>
#include <numeric>

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

// A generator of its own: the standard library's distributions differ between platforms.
class Dice {
 public:
  size_t below(size_t n) {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<size_t>((state_ >> 33) % n);
  }

 private:
  uint64_t state_ = 20240607;
};

// Improves an order: takes a buffer that ends above the bound, puts it before one that lies under it, and keeps the new order when the bytes
// above the target have not become more.
class Search {
 public:
  Search(const Problem& problem, std::vector<int> order, int64_t bound) : problem_(problem), packer_(problem), order_(std::move(order)), bound_(bound) {
    offsets_ = packer_.place(order_, Fit::lowest);
    best_ = offsets_;
    best_height_ = top(offsets_);
    position_.resize(problem.size());
    index_from(0);
  }

  void run(int64_t effort) {
    excess_ = excess(offsets_);
    const auto total = static_cast<int64_t>(problem_.size());
    int64_t degree = 0;
    for (int i = 0; i < static_cast<int>(total); ++i) degree += static_cast<int64_t>(problem_.neighbours(i).size());
    const int64_t cost = 8 + 4 * degree / std::max<int64_t>(total, 1);  // of placing one buffer
    for (int64_t left = effort; left > 0 && best_height_ > bound_;) left -= attempt() * cost + total;
  }
  const std::vector<int64_t>& best() const { return best_; }
  int64_t best_height() const { return best_height_; }

 private:
  int64_t top(const std::vector<int64_t>& offsets) const {
    int64_t h = 0;
    for (size_t i = 0; i < offsets.size(); ++i) h = std::max(h, offsets[i] + problem_[static_cast<int>(i)].bytes);
    return h;
  }
  double excess(const std::vector<int64_t>& offsets) const {
    double sum = 0;
    for (size_t i = 0; i < offsets.size(); ++i) {
      const int64_t over = offsets[i] + problem_[static_cast<int>(i)].bytes - bound_;
      if (over > 0) sum += static_cast<double>(over);
    }
    return sum;
  }
  void index_from(size_t from) {
    for (size_t k = from; k < order_.size(); ++k) position_[order_[k]] = static_cast<int>(k);
  }

  // Tries one move; the number of buffers placed.
  int64_t attempt() {
    high_.clear();
    for (size_t i = 0; i < offsets_.size(); ++i) {
      if (offsets_[i] + problem_[static_cast<int>(i)].bytes > bound_) high_.push_back(static_cast<int>(i));
    }
    if (high_.empty()) return 1;
    const int mover = high_[dice_.below(high_.size())];
    const auto& near = problem_.neighbours(mover);
    if (near.empty()) return 1;
    const int other = near[dice_.below(near.size())];
    if (position_[other] >= position_[mover]) return 1;
    const auto from = static_cast<size_t>(position_[other]), to = static_cast<size_t>(position_[mover]);
    std::rotate(order_.begin() + static_cast<std::ptrdiff_t>(from), order_.begin() + static_cast<std::ptrdiff_t>(to), order_.begin() + static_cast<std::ptrdiff_t>(to) + 1);
    trial_ = offsets_;
    for (size_t k = from; k < order_.size(); ++k) trial_[order_[k]] = -1;
    for (size_t k = from; k < order_.size(); ++k) trial_[order_[k]] = packer_.offset_for(order_[k], trial_, Fit::lowest);
    const double now = excess(trial_);
    if (now <= excess_ * (dice_.below(50) == 0 ? 1.02 : 1.0)) {
      offsets_.swap(trial_);
      excess_ = now;
      index_from(from);
      if (const int64_t h = top(offsets_); h < best_height_) {
        best_height_ = h;
        best_ = offsets_;
      }
    } else {
      std::rotate(order_.begin() + static_cast<std::ptrdiff_t>(from), order_.begin() + static_cast<std::ptrdiff_t>(from) + 1, order_.begin() + static_cast<std::ptrdiff_t>(to) + 1);
    }
    return static_cast<int64_t>(order_.size() - from);
  }

  const Problem& problem_;
  Packer packer_;
  std::vector<int> order_, position_, high_;
  std::vector<int64_t> offsets_, trial_, best_;
  int64_t bound_, best_height_ = 0;
  double excess_ = 0;
  Dice dice_;
};

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
  std::vector<int> best_order;
  int64_t best_height = std::numeric_limits<int64_t>::max();
  for (const auto& order : greedy_orders(problem))
    for (const Fit fit : {Fit::lowest, Fit::tightest}) {
      std::vector<int64_t> offsets = packer.place(order, fit);
      const int64_t h = height(buffers, offsets);
      if (h < best_height) {
        best_height = h;
        best_order = order;
      }
      if (h >= best.bytes) continue;
      best.bytes = h;
      best.offsets = std::move(offsets);
      if (h == best.lower_bound) return best;
    }
  if (best.bytes - best.lower_bound <= best.lower_bound / 100) effort /= 8;
  if (reach_bound(buffers, effort / 2, best)) return best;
  Search search(problem, best_order, best.lower_bound);
  search.run(effort / 2);
  if (search.best_height() < best.bytes) {
    best.bytes = search.best_height();
    best.offsets = search.best();
  }
  return best;
}

}  // namespace onecard
