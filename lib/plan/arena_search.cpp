#include "lib/plan/arena_search.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>

namespace onecard {

ArenaSearch::ArenaSearch(std::span<const Lifetime> buffers) {
  // Steps at which no buffer begins say nothing new: sections are the steps between beginnings.
  std::vector<int64_t> starts;
  for (const Lifetime& b : buffers) starts.push_back(b.first);
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  const auto section = [&](int64_t step) { return static_cast<int>(std::upper_bound(starts.begin(), starts.end(), step) - starts.begin()) - 1; };
  for (const Lifetime& b : buffers) pieces_.push_back({section(b.first), section(b.last) + 1, b.bytes, 0});
  sections_ = static_cast<int>(starts.size());
  total_.assign(static_cast<size_t>(sections_), 0);
  for (const Piece& p : pieces_) {
    for (int s = p.from; s < p.to; ++s) total_[s] += p.bytes;
  }
  height_of_missing_.resize(static_cast<size_t>(sections_));
  lowest_of_missing_.resize(static_cast<size_t>(sections_));
}

void ArenaSearch::rank_by(Order order) {
  const auto key = [&](int i) {
    const Piece& p = pieces_[i];
    const int64_t width = p.to - p.from, crowd = p.from < p.to ? *std::max_element(total_.begin() + p.from, total_.begin() + p.to) : 0;
    const double area = static_cast<double>(width) * static_cast<double>(p.bytes);
    const auto w = static_cast<double>(width), t = static_cast<double>(crowd), b = static_cast<double>(p.bytes);
    switch (order) {
      case Order::widest: return std::tuple(w, area, t);
      case Order::most_crowded: return std::tuple(t, area, w);
      case Order::largest_area: return std::tuple(area, t, w);
      case Order::largest: return std::tuple(b, w, t);
    }
    return std::tuple(w, area, t);
  };
  std::vector<std::pair<std::tuple<double, double, double>, int>> keyed;
  for (size_t i = 0; i < pieces_.size(); ++i) keyed.emplace_back(key(static_cast<int>(i)), -static_cast<int>(i));
  std::sort(keyed.rbegin(), keyed.rend());
  for (size_t k = 0; k < keyed.size(); ++k) pieces_[-keyed[k].second].rank = static_cast<int>(k);
}

std::optional<std::vector<int64_t>> ArenaSearch::fit(int64_t height, Order order, int64_t& effort) {
  rank_by(order);
  limit_ = height;
  effort_ = effort;
  floor_.assign(static_cast<size_t>(sections_), 0);
  offset_.assign(pieces_.size(), 0);
  std::vector<int> missing;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].bytes > 0) missing.push_back(static_cast<int>(i));
  }
  std::sort(missing.begin(), missing.end(), [&](int a, int b) { return std::pair(pieces_[a].from, a) < std::pair(pieces_[b].from, b); });
  const bool found = solve(missing, 0, -1);
  effort = effort_;
  return found ? std::optional(offset_) : std::nullopt;
}

// `missing` is sorted by its first section. `lowest`, `last_rank`: offset and rank of the buffer placed before; nothing missing goes below.
bool ArenaSearch::solve(const std::vector<int>& missing, int64_t lowest, int last_rank) {
  std::vector<int> part;
  std::vector<std::vector<int>> parts;
  int reach = 0;
  for (int i : missing) {
    const Piece& p = pieces_[i];
    if (!part.empty() && p.from >= reach) {
      parts.push_back(std::move(part));
      part.clear();
    }
    part.push_back(i);
    reach = std::max(reach, p.to);
  }
  if (parts.empty()) return part.empty() || solve_connected(part, lowest, last_rank);
  parts.push_back(std::move(part));
  const std::vector<int64_t> saved = floor_;
  for (const auto& connected : parts) {
    if (solve_connected(connected, lowest, last_rank)) continue;
    floor_ = saved;                                   // of the parts that were solved before
    return false;
  }
  return true;
}

// Whether at some section the missing buffers cannot all lie under the limit.
bool ArenaSearch::hopeless(const std::vector<int>& missing, const std::vector<int64_t>& offsets) {
  int from = std::numeric_limits<int>::max(), to = 0;
  for (int i : missing) {
    from = std::min(from, pieces_[i].from);
    to = std::max(to, pieces_[i].to);
  }
  std::fill(height_of_missing_.begin() + from, height_of_missing_.begin() + to, 0);
  std::fill(lowest_of_missing_.begin() + from, lowest_of_missing_.begin() + to, std::numeric_limits<int64_t>::max() / 2);
  for (size_t k = 0; k < missing.size(); ++k) {
    const Piece& p = pieces_[missing[k]];
    for (int s = p.from; s < p.to; ++s) {
      height_of_missing_[s] += p.bytes;
      lowest_of_missing_[s] = std::min(lowest_of_missing_[s], offsets[k]);
    }
  }
  for (int s = from; s < to; ++s) {
    if (height_of_missing_[s] > 0 && lowest_of_missing_[s] + height_of_missing_[s] > limit_) return true;
  }
  return false;
}

bool ArenaSearch::solve_connected(const std::vector<int>& missing, int64_t lowest, int last_rank) {
  std::vector<int64_t> own(missing.size()), offsets(missing.size());
  int64_t first_top = std::numeric_limits<int64_t>::max();
  for (size_t k = 0; k < missing.size(); ++k) {
    const Piece& p = pieces_[missing[k]];
    own[k] = *std::max_element(floor_.begin() + p.from, floor_.begin() + p.to);
    offsets[k] = std::max(own[k], lowest);
    first_top = std::min(first_top, offsets[k] + p.bytes);
    effort_ -= 2 * (p.to - p.from) + 8;
  }
  if (effort_ < 0 || hopeless(missing, offsets)) return false;

  std::vector<std::pair<int, size_t>> next;
  for (size_t k = 0; k < missing.size(); ++k) {
    const int rank = pieces_[missing[k]].rank;
    // Under a buffer that begins above the end of another one, that other one can go first; equal offsets are taken in one order.
    if (own[k] < lowest || offsets[k] >= first_top || (own[k] == lowest && rank < last_rank)) continue;
    next.emplace_back(rank, k);
  }
  std::sort(next.begin(), next.end());
  for (const auto& [rank, k] : next) {
    const int i = missing[k];
    const Piece& p = pieces_[i];
    const std::vector<int64_t> saved(floor_.begin() + p.from, floor_.begin() + p.to);
    std::fill(floor_.begin() + p.from, floor_.begin() + p.to, own[k] + p.bytes);
    offset_[i] = own[k];
    std::vector<int> rest = missing;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(k));
    if (solve(rest, own[k], rank)) return true;
    std::copy(saved.begin(), saved.end(), floor_.begin() + p.from);
    if (effort_ < 0) return false;
  }
  return false;
}

}  // namespace onecard
