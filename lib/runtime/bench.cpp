#include "lib/runtime/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace onecard {

namespace {

using Clock = std::chrono::steady_clock;
double ms_since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

// Calls `once` until so many calls and so much time are reached; the milliseconds of each.
std::vector<double> repeat(const BenchOptions& options, const std::function<void()>& once) {
  std::vector<double> ms;
  const auto begin = Clock::now();
  while (static_cast<int64_t>(ms.size()) < std::max<int64_t>(options.iterations, 1) || ms_since(begin) < options.seconds * 1e3) {
    const auto start = Clock::now();
    once();
    ms.push_back(ms_since(start));
  }
  return ms;
}

std::vector<TensorType> types_of(const Graph& graph, const std::vector<const Tensor*>& inputs) {
  std::vector<TensorType> types;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorType& declared = graph.inputs[i]->type;
    types.push_back(declared.container == Container::tensor && inputs[i]->has_value() ? inputs[i]->type() : declared);
    types.back().quant = declared.quant;
  }
  return types;
}

StepTime describe(const Plan& plan, const PlanStep& step) {
  StepTime t;
  t.kernel = step.kernel;
  if (step.node) t.node = step.node->name.empty() && !step.node->outputs.empty() ? step.node->outputs[0]->name : step.node->name;
  else if (!step.out.empty() && step.out[0] >= 0) t.node = plan.buffers[static_cast<size_t>(step.out[0])].value;
  for (const auto* buffers : {&step.in, &step.out})
    for (const int b : *buffers)
      if (b >= 0) t.bytes += plan.buffers[static_cast<size_t>(b)].bytes;
  if (step.step) t.flops = step.step->flops;
  return t;
}

}  // namespace

double BenchResult::percentile(double share) const {
  if (ms.empty()) return 0;
  const double at = share * static_cast<double>(ms.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, ms.size() - 1);
  return ms[low] + (ms[high] - ms[low]) * (at - static_cast<double>(low));
}

BenchResult bench(Executor& executor, const std::vector<const Tensor*>& inputs, const BenchOptions& options) {
  std::vector<Tensor> outputs;
  for (int64_t i = 0; i < options.warmup; ++i) executor.run(inputs, outputs);
  BenchResult result{repeat(options, [&] { executor.run(inputs, outputs); })};
  std::sort(result.ms.begin(), result.ms.end());
  return result;
}

std::vector<StepTime> bench_steps(Executor& executor, const std::vector<const Tensor*>& inputs, const BenchOptions& options) {
  const Plan& plan = executor.prepare(types_of(executor.graph(), inputs));
  std::vector<StepTime> steps;
  for (const PlanStep& s : plan.steps) steps.push_back(describe(plan, s));
  const PlanStep* const first = plan.steps.data();
  executor.set_step_timer([&](const PlanStep& step, double seconds) {
    const auto at = &step - first;
    if (at >= 0 && at < static_cast<std::ptrdiff_t>(steps.size())) steps[static_cast<size_t>(at)].ms += seconds * 1e3;
  });
  std::vector<Tensor> outputs;
  const auto count = static_cast<double>(repeat(options, [&] { executor.run(inputs, outputs); }).size());
  executor.set_step_timer(nullptr);
  for (StepTime& s : steps) s.ms /= count;
  return steps;
}

}  // namespace onecard
