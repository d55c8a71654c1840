#include "lib/flow/run_times.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "lib/runtime/team.h"
#include "passes/manager.h"

namespace onecard {

namespace {

constexpr int64_t kMostBytes = int64_t{512} << 20;  // of the original's weights
constexpr double kSeconds = 0.5;                    // all runs but the first two
constexpr int64_t kMostRuns = 15;
constexpr double kPlain = 1.5, kVeryPlain = 2.5;           // times as fast: needs no more than two rounds, than one
constexpr double kLeastSeconds = 0.1, kLeastOfOne = 0.02;  // of rounds that show it: a turn of the machine takes milliseconds

double seconds_of(Executor& executor, const std::vector<const Tensor*>& in, std::vector<Tensor>& outputs) {
  const auto begin = std::chrono::steady_clock::now();
  executor.run(in, outputs);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

}  // namespace

bool shows_plainly(const std::vector<double>& before, const std::vector<double>& after) {
  if (before.empty()) return false;
  const bool one = before.size() == 1;
  const double sum = std::accumulate(before.begin(), before.end(), std::accumulate(after.begin(), after.end(), 0.0));
  if (sum < (one ? kLeastOfOne : kLeastSeconds)) return false;
  // Every run on one side beside every one on the other.
  const auto [before_least, before_most] = std::minmax_element(before.begin(), before.end());
  const auto [after_least, after_most] = std::minmax_element(after.begin(), after.end());
  const double times = one ? kVeryPlain : kPlain;
  return *before_least > times * *after_most || *after_least > times * *before_most;
}

std::optional<RunTimes> time_runs(const GraphPtr& original, const GraphPtr& shipped, Device& device, const std::vector<Tensor>& inputs,
                                  const std::shared_ptr<SharedWeights>& weights) {
  if (constant_bytes(*original) > kMostBytes) return std::nullopt;
  std::vector<const Tensor*> in;
  for (const Tensor& t : inputs) in.push_back(&t);
  try {
    Executor before(original, device, {{}, weights}), after(shipped, device, {{}, weights});
    std::vector<Tensor> answers_before, answers_after;
    prepare_both(before, after, inputs);  // what a few runs take is planning for the most part
    const double first = seconds_of(before, in, answers_before) + seconds_of(after, in, answers_after);  // plans, packs weights, warms the caches
    const size_t fewest = first < kSeconds ? 3 : 1;
    std::vector<double> slow, fast;
    double sum = 0;
    while (static_cast<int64_t>(slow.size()) < kMostRuns && (sum < kSeconds || slow.size() < fewest) && !shows_plainly(slow, fast)) {
      slow.push_back(seconds_of(before, in, answers_before));
      fast.push_back(seconds_of(after, in, answers_after));
      sum += slow.back() + fast.back();
    }
    return RunTimes{1e3 * median(slow), 1e3 * median(fast), static_cast<int64_t>(slow.size())};
  } catch (const Error& e) {
    if (e.kind == ErrorKind::internal) throw;
    return std::nullopt;
  }
}

}  // namespace onecard
