#pragma once
#include "lib/plan/timeline.h"

namespace onecard {

// Lowers the arena's bound, one choice at a time, by dropping a value that lies idle across the step where most memory is live and making it
// again before its later use (checkpointing), with what it is made from where that is gone too. Most bytes for the least work first.
class Recomputation {
 public:
  // `start` is a timeline of `list`; both must outlive this. All choices together may add as much work as the list has.
  Recomputation(const StepList& list, Timeline start);
  // The next timeline, with a lower bound or fewer steps at the bound; false when no choice gives one.
  bool lower();
  const Timeline& now() const { return now_; }

 private:
  // Steps to run again, each list before a position of the timeline.
  struct Choice {
    std::vector<std::pair<int64_t, std::vector<int>>> again;
    double work = 0;
    int64_t bytes = 0;
  };
  std::vector<int> idle_at_peak() const;
  std::vector<Choice> choices() const;
  // One search for the steps that make dropped contents again.
  struct Chain {
    int contents;                                     // dropped
    int64_t at;                                       // position to run at
    int calls_left;
    std::vector<int> steps;
  };
  bool remake(int contents, int depth, Choice& choice) const;
  bool extend(Chain& chain, int buffer, int reach) const;
  bool at_hand(int buffer, int64_t at, int contents) const;
  std::vector<int> order_with(const Choice& choice) const;

  const StepList& list_;
  Timeline now_;
  std::vector<double> work_;                          // per step
  std::vector<int> maker_;                            // per buffer: the step that writes it, or -1
  std::vector<std::vector<int>> versions_of_;         // per buffer, in order
  double work_left_ = 0;
};

}  // namespace onecard
