#pragma once
#include "lib/plan/steps.h"

namespace onecard {

// The steps of a list run in some order, a step possibly again later: which memory each run reads and writes, and from when to when it is
// needed. Versions 0 … n-1 are the list's n buffers as written the first time; those after them are written by later runs of their steps.
struct Timeline {
  struct Version {
    int buffer = -1;                                  // of the list
    int64_t first = -1, last = -1;                    // positions that write or read it; -1: none
    int contents = -1;                                // the version whose bytes these are: another one for a view, else itself
    int memory = -1;                                  // the version whose place in memory it has: another one for views and in-place results
  };
  std::vector<int> order;                             // the step at each position
  std::vector<Version> versions;
  std::vector<int> slots;                             // versions of each position's inputs, outputs and workspace, one after another; -1: absent
  std::vector<size_t> slots_begin;                    // per position, and the end
  std::vector<int64_t> contents_last;                 // per version that is its own contents: the last position that needs them
  std::vector<std::pair<int64_t, int64_t>> memory_life;  // per version that is its own memory: first and last position; (0, -1): untouched
  int64_t bound_bytes = 0;                            // the most arena bytes live at one position
  int64_t peak = 0;                                   // the first such position
  int64_t peaks = 0;                                  // how many there are
};

// Each step must come after the steps that make its inputs, which may run more than once: a read is of the latest.
Timeline make_timeline(const StepList& list, std::vector<int> order);

// The list in the timeline's order with a buffer per version, lifetimes and aliases settled, offsets not given yet.
StepList settled(const StepList& list, const Timeline& timeline);

}  // namespace onecard
