#pragma once
#include "lib/plan/arena.h"

namespace onecard {

// Lowers a placement by ejection chains: what ends above a height is taken out and put back below it, wherever it throws out the buffers that
// are cheapest to lose; those are put back in turn. A buffer costs more each time it was thrown out, so that chains do not run in circles.
class ArenaImprovement {
 public:
  // `neighbours`: for each buffer the others alive at one of its steps. Both must outlive this.
  ArenaImprovement(std::span<const Lifetime> buffers, const std::vector<std::vector<int>>& neighbours);
  // Goes for lower and lower heights until the bound is reached or `effort` (elementary operations) is spent; `placement` only gets better.
  void improve(int64_t effort, Placement& placement);

 private:
  bool reach(int64_t height, int64_t& effort);
  int take_hardest();
  void put_back(int buffer, int64_t height, int64_t& effort);
  void settle();

  std::span<const Lifetime> buffers_;
  const std::vector<std::vector<int>>& neighbours_;
  std::vector<int64_t> offsets_;                      // -1: out
  std::vector<double> cost_;
  std::vector<int> out_;
  std::vector<std::pair<int64_t, double>> begins_, ends_;
  std::vector<int64_t> places_;
  uint64_t dice_ = 20240607;
};

}  // namespace onecard
