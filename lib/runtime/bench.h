#pragma once
#include <functional>
#include <string>
#include <vector>

#include "lib/runtime/executor.h"

namespace onecard {

struct BenchOptions {
  int64_t warmup = 3, iterations = 20;
  double seconds = 1;  // until both are reached
};
// One planned step over all timed iterations.
struct StepTime {
  std::string kernel, node;  // the node's name, else that of its first output
  double ms = 0;             // per iteration
  int64_t bytes = 0;         // read and written, weights included
  double flops = 0;
};
struct BenchResult {
  std::vector<double> ms;                 // of each iteration, ascending
  double percentile(double share) const;  // of `ms`
};

// Runs the same inputs again and again into the same outputs.
BenchResult bench(Executor& executor, const std::vector<const Tensor*>& inputs, const BenchOptions& options);
// The same with a clock at every step, in the plan's order: slower in all, so it is a measurement of its own. Steps of control-flow bodies
// count in the step that runs them.
std::vector<StepTime> bench_steps(Executor& executor, const std::vector<const Tensor*>& inputs, const BenchOptions& options);

}  // namespace onecard
