#pragma once
#include <optional>

#include "lib/plan/arena.h"

namespace onecard {

// Looks for a placement no higher than a given height, by backtracking over placements built from the bottom up.
// After the canonical search of MiniMalloc (Moffitt, ASPLOS 2023): buffers are placed in the order of their offsets, each on top of what lies
// below it; a branch is left when at some step the lowest place for what is missing plus its bytes exceeds the height; parts that no missing
// buffer connects are solved one by one. Steps at which branches were left count more in the next attempt, so that what is hard is placed first.
class ArenaSearch {
 public:
  explicit ArenaSearch(std::span<const Lifetime> buffers);

  // What comes first among buffers that may be placed next.
  enum class Order { widest, most_crowded, largest_area, largest };
  enum class Answer { found, none, gave_up };
  // found: `offsets` is a placement. none: there is no placement so low. gave_up: `effort` (elementary operations) ran out. `learned`, from 0:
  // how much the failures of earlier attempts weigh.
  Answer fit(int64_t height, Order order, double learned, int64_t effort, std::vector<int64_t>& offsets);

 private:
  struct Piece {
    int from, to;                                     // sections, `to` excluded
    int64_t bytes;
    int rank;
  };
  struct Missing {
    int piece;
    int64_t offset;                                   // on top of what is placed below it
  };
  bool solve(const std::vector<Missing>& missing, int64_t lowest, int last_rank);
  bool solve_connected(const std::vector<Missing>& missing, int64_t lowest, int last_rank);
  bool hopeless(const std::vector<Missing>& missing, int64_t lowest);
  void rank_by(Order order, double learned);

  std::vector<Piece> pieces_;
  std::vector<int64_t> total_, missing_bytes_, missing_lowest_, offset_;
  std::vector<double> failures_;                      // per section
  int64_t limit_ = 0, effort_ = 0;
  int sections_ = 0;
};

}  // namespace onecard
