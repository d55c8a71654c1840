#include "lib/plan/arena_search.h"

#include <algorithm>
#include <array>
#include <limits>

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
  for (const Piece& p : pieces_)
    for (int s = p.from; s < p.to; ++s) total_[static_cast<size_t>(s)] += p.bytes;
  missing_bytes_.resize(total_.size());
  missing_lowest_.resize(total_.size());
  failures_.assign(total_.size(), 0);
}

void ArenaSearch::rank_by(Order order, double learned) {
  double most = 1;
  for (const double f : failures_) most = std::max(most, f);
  const auto key = [&](const Piece& p) -> std::array<double, 3> {
    const auto width = static_cast<double>(p.to - p.from), bytes = static_cast<double>(p.bytes);
    double crowd = 0, failed = 0;
    for (auto s = static_cast<size_t>(p.from); s < static_cast<size_t>(p.to); ++s) {
      crowd = std::max(crowd, static_cast<double>(total_[s]) / static_cast<double>(limit_) + learned * failures_[s] / most);
      failed = std::max(failed, failures_[s] / most);
    }
    const double boost = 1 + 4 * learned * failed, area = width * bytes;
    switch (order) {
      case Order::widest: return {width * boost, area, crowd};
      case Order::most_crowded: return {crowd, area, width};
      case Order::largest_area: return {area * boost, crowd, width};
      case Order::largest: return {bytes * boost, width, crowd};
    }
    return {};
  };
  std::vector<std::pair<std::array<double, 3>, int>> keyed;
  for (size_t i = 0; i < pieces_.size(); ++i) keyed.emplace_back(key(pieces_[i]), -static_cast<int>(i));
  std::sort(keyed.rbegin(), keyed.rend());
  for (size_t k = 0; k < keyed.size(); ++k) pieces_[static_cast<size_t>(-keyed[k].second)].rank = static_cast<int>(k);
}

ArenaSearch::Answer ArenaSearch::fit(int64_t height, Order order, double learned, int64_t effort, std::vector<int64_t>& offsets) {
  limit_ = height;
  effort_ = effort;
  rank_by(order, learned);
  offset_.assign(pieces_.size(), 0);
  std::vector<Missing> missing;
  for (size_t i = 0; i < pieces_.size(); ++i)
    if (pieces_[i].bytes > 0) missing.push_back({static_cast<int>(i), 0});
  std::stable_sort(missing.begin(), missing.end(), [&](const Missing& a, const Missing& b) { return pieces_[static_cast<size_t>(a.piece)].from < pieces_[static_cast<size_t>(b.piece)].from; });
  if (!solve(missing, 0, -1)) return effort_ < 0 ? Answer::gave_up : Answer::none;
  offsets = offset_;
  return Answer::found;
}

// `missing` is sorted by its first section. `lowest`, `last_rank`: offset and rank of the buffer placed before; nothing missing goes below.
bool ArenaSearch::solve(const std::vector<Missing>& missing, int64_t lowest, int last_rank) {
  std::vector<Missing> part;
  int reach = 0;
  for (const Missing& m : missing) {
    const Piece& p = pieces_[static_cast<size_t>(m.piece)];
    if (!part.empty() && p.from >= reach) {
      if (!solve_connected(part, lowest, last_rank)) return false;
      part.clear();
    }
    part.push_back(m);
    reach = std::max(reach, p.to);
  }
  return part.empty() || solve_connected(part, lowest, last_rank);
}

// Whether at some section the missing buffers cannot all lie under the limit.
bool ArenaSearch::hopeless(const std::vector<Missing>& missing, int64_t lowest) {
  int from = std::numeric_limits<int>::max(), to = 0;
  for (const Missing& m : missing) {
    from = std::min(from, pieces_[static_cast<size_t>(m.piece)].from);
    to = std::max(to, pieces_[static_cast<size_t>(m.piece)].to);
  }
  std::fill(missing_bytes_.begin() + from, missing_bytes_.begin() + to, 0);
  std::fill(missing_lowest_.begin() + from, missing_lowest_.begin() + to, std::numeric_limits<int64_t>::max());
  for (const Missing& m : missing) {
    const Piece& p = pieces_[static_cast<size_t>(m.piece)];
    const int64_t offset = std::max(m.offset, lowest);
    for (auto s = static_cast<size_t>(p.from); s < static_cast<size_t>(p.to); ++s) {
      missing_bytes_[s] += p.bytes;
      missing_lowest_[s] = std::min(missing_lowest_[s], offset);
    }
    effort_ -= (p.to - p.from) / 4 + 1;
  }
  for (auto s = static_cast<size_t>(from); s < static_cast<size_t>(to); ++s)
    if (missing_bytes_[s] > 0 && missing_lowest_[s] > limit_ - missing_bytes_[s]) {
      failures_[s] += 1;
      return true;
    }
  return false;
}

bool ArenaSearch::solve_connected(const std::vector<Missing>& missing, int64_t lowest, int last_rank) {
  effort_ -= static_cast<int64_t>(missing.size()) + 10;
  if (effort_ < 0 || hopeless(missing, lowest)) return false;
  int64_t first_top = std::numeric_limits<int64_t>::max();
  for (const Missing& m : missing) first_top = std::min(first_top, m.offset + pieces_[static_cast<size_t>(m.piece)].bytes);
  std::vector<std::pair<int, size_t>> next;
  for (size_t k = 0; k < missing.size(); ++k) {
    const int rank = pieces_[static_cast<size_t>(missing[k].piece)].rank;
    // Under a buffer that begins above the end of another one, that other one can go first; equal offsets are taken in one order.
    if (missing[k].offset < lowest || missing[k].offset >= first_top || (missing[k].offset == lowest && rank < last_rank)) continue;
    next.emplace_back(rank, k);
  }
  std::sort(next.begin(), next.end());
  std::vector<Missing> rest;
  for (const auto& [rank, k] : next) {
    const Missing& placed = missing[k];
    const Piece& p = pieces_[static_cast<size_t>(placed.piece)];
    rest.clear();
    for (size_t j = 0; j < missing.size(); ++j) {
      if (j == k) continue;
      rest.push_back(missing[j]);
      const Piece& q = pieces_[static_cast<size_t>(missing[j].piece)];
      if (q.from < p.to && p.from < q.to) rest.back().offset = std::max(rest.back().offset, placed.offset + p.bytes);
    }
    offset_[static_cast<size_t>(placed.piece)] = placed.offset;
    if (rest.empty() || solve(rest, placed.offset, rank)) return true;
    if (effort_ < 0) return false;
  }
  return false;
}

}  // namespace onecard
