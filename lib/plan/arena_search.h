#pragma once
#include <optional>

#include "lib/plan/arena.h"

namespace onecard {

// Looks for a placement no higher than a given height, by backtracking over placements built from the bottom up.
// After the canonical search of MiniMalloc (Moffitt, ASPLOS 2023): buffers are placed in the order of their offsets, each on top of what lies
// below it; a branch is left when at some step the lowest place for what is missing plus its bytes exceeds the height; parts that no missing
// buffer connects are solved one by one.
class ArenaSearch {
 public:
  explicit ArenaSearch(std::span<const Lifetime> buffers);

  // What comes first among buffers that may be placed next.
  enum class Order { widest, most_crowded, largest_area, largest };
  // Offsets, or none when there are none or `effort` (elementary operations) ran out; what was used is taken off it.
  std::optional<std::vector<int64_t>> fit(int64_t height, Order order, int64_t& effort);

 private:
  struct Piece {
    int from, to;                                     // sections, `to` excluded
    int64_t bytes;
    int rank;
  };
  struct Saved {
    int piece;
    std::vector<int64_t> floor;
  };
  bool solve(const std::vector<int>& missing, int64_t lowest, int last_rank);
  bool solve_connected(const std::vector<int>& missing, int64_t lowest, int last_rank);
  bool hopeless(const std::vector<int>& missing, const std::vector<int64_t>& offsets);
  void rank_by(Order order);

  std::vector<Piece> pieces_;
  std::vector<int64_t> floor_, total_, height_of_missing_, lowest_of_missing_, offset_;
  int64_t limit_ = 0, effort_ = 0;
  int sections_ = 0;
};

}  // namespace onecard
