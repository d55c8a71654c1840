#pragma once
#include <string>
#include <vector>

#include "lib/bundle/self_check.h"
#include "lib/runtime/executor.h"

namespace onecard {

constexpr double kSelfCheckTolerance = 1e-3;  // of an output's stored range

// How far one output is from what the bundle stores.
struct CheckedDistance {
  std::string name;
  double range_error = 0;
  std::string why_not;  // of a value that cannot be compared; empty otherwise
  bool pass() const { return why_not.empty() && range_error <= kSelfCheckTolerance; }
};

// Runs the self-check's sample and compares every stored value.
std::vector<CheckedDistance> run_self_check(Executor& executor, const SelfCheck& check);

}  // namespace onecard
