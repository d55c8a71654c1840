#include "lib/plan/arena_improve.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace onecard {

ArenaImprovement::ArenaImprovement(std::span<const Lifetime> buffers, const std::vector<std::vector<int>>& neighbours)
    : buffers_(buffers), neighbours_(neighbours), cost_(buffers.size(), 1) {}

// Takes the buffer out of the queue that is hardest to place.
int ArenaImprovement::take_hardest() {
  const auto hardness = [&](int i) {
    const auto b = static_cast<size_t>(i);
    return cost_[b] * static_cast<double>(buffers_[b].bytes) * static_cast<double>(neighbours_[b].size() + 1);
  };
  size_t hardest = 0;
  double most = -1;
  for (size_t k = 0; k < out_.size(); ++k)
    if (const double h = hardness(out_[k]); h > most) {
      most = h;
      hardest = k;
    }
  std::swap(out_[hardest], out_.back());
  const int buffer = out_.back();
  out_.pop_back();
  return buffer;
}

// Puts the buffer where what it overlaps costs least, and takes that out. Places worth trying begin or end where a neighbour ends or begins.
void ArenaImprovement::put_back(int buffer, int64_t height, int64_t& effort) {
  const auto u = static_cast<size_t>(buffer);
  const int64_t bytes = buffers_[u].bytes, highest = height - bytes;
  begins_.clear();
  ends_.clear();
  places_ = {0, highest};
  for (const int j : neighbours_[u]) {
    const auto n = static_cast<size_t>(j);
    if (offsets_[n] < 0) continue;
    const int64_t from = offsets_[n], to = from + buffers_[n].bytes;
    begins_.emplace_back(from, cost_[n]);
    ends_.emplace_back(to, cost_[n]);
    if (to <= highest) places_.push_back(to);
    if (from >= bytes) places_.push_back(from - bytes);
  }
  std::sort(begins_.begin(), begins_.end());
  std::sort(ends_.begin(), ends_.end());
  std::sort(places_.begin(), places_.end());
  places_.erase(std::unique(places_.begin(), places_.end()), places_.end());
  effort -= 8 * static_cast<int64_t>(neighbours_[u].size()) + static_cast<int64_t>(out_.size()) + 20;

  // Costs are whole numbers: the sums are exact.
  double begun = 0, ended = 0, least = std::numeric_limits<double>::max();
  int64_t best = 0;
  uint64_t ties = 0;
  size_t b = 0, e = 0;
  for (const int64_t at : places_) {
    while (b < begins_.size() && begins_[b].first < at + bytes) begun += begins_[b++].second;
    while (e < ends_.size() && ends_[e].first <= at) ended += ends_[e++].second;
    const double cost = begun - ended;
    if (cost == least) {
      dice_ = dice_ * 6364136223846793005ull + 1442695040888963407ull;
      if ((dice_ >> 33) % ++ties == 0) best = at;
    } else if (cost < least) {
      least = cost;
      best = at;
      ties = 1;
    }
    if (least == 0) break;                            // free: the lowest such place
  }
  for (const int j : neighbours_[u]) {
    const auto n = static_cast<size_t>(j);
    if (offsets_[n] < 0 || offsets_[n] >= best + bytes || offsets_[n] + buffers_[n].bytes <= best) continue;
    offsets_[n] = -1;
    out_.push_back(j);
    cost_[n] += 1;
  }
  offsets_[u] = best;
}

// Changes offsets_ until no buffer ends above `height`; false when the effort ran out first.
bool ArenaImprovement::reach(int64_t height, int64_t& effort) {
  out_.clear();
  for (size_t i = 0; i < buffers_.size(); ++i) {
    if (buffers_[i].bytes == 0 || offsets_[i] + buffers_[i].bytes <= height) continue;
    offsets_[i] = -1;
    out_.push_back(static_cast<int>(i));
  }
  while (!out_.empty()) {
    if (effort <= 0) return false;
    put_back(take_hardest(), height, effort);
  }
  return true;
}

// Lets every buffer fall onto those below it. Places counted down from a height become sums of sizes again.
void ArenaImprovement::settle() {
  std::vector<size_t> order(buffers_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return offsets_[a] < offsets_[b]; });
  std::vector<int64_t> settled(buffers_.size(), -1);
  for (const size_t i : order) {
    settled[i] = 0;
    for (const int j : neighbours_[i])
      if (const auto n = static_cast<size_t>(j); settled[n] >= 0) settled[i] = std::max(settled[i], settled[n] + buffers_[n].bytes);
  }
  offsets_ = std::move(settled);
}

void ArenaImprovement::improve(int64_t effort, Placement& placement) {
  // Short attempts: one that has not come through by then seldom does. Costs that many attempts have raised say little: they start again.
  constexpr int64_t kLongestAttempt = 3'000'000;
  constexpr int kFailuresBeforeReset = 8;
  const int64_t share = std::min(effort / 8 + 1, kLongestAttempt);
  int failures = 0;
  int64_t percent = 50;                               // of the way to the bound that stays
  while (effort > 0 && placement.bytes > placement.lower_bound) {
    const int64_t above = placement.bytes - placement.lower_bound;
    const int64_t height = placement.lower_bound + (above / 100 * percent + above % 100 * percent / 100);
    int64_t left = std::min(share, effort);
    effort -= left;
    offsets_ = placement.offsets;
    const bool reached = reach(height, left);
    effort += std::max<int64_t>(left, 0) - 1;
    percent = reached ? std::max<int64_t>(30, percent - 10) : std::min<int64_t>(98, percent + 15);
    if (!reached && ++failures % kFailuresBeforeReset == 0) std::fill(cost_.begin(), cost_.end(), 1.0);
    if (!reached) continue;
    settle();
    placement.offsets = offsets_;
    placement.bytes = 0;
    for (size_t i = 0; i < buffers_.size(); ++i) placement.bytes = std::max(placement.bytes, offsets_[i] + buffers_[i].bytes);
  }
}

}  // namespace onecard
