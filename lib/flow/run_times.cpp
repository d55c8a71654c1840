#include "lib/flow/run_times.h"

#include <algorithm>
#include <chrono>

#include "lib/runtime/team.h"
#include "passes/manager.h"

namespace onecard {

namespace {

constexpr int64_t kMostBytes = int64_t{512} << 20;  // of the original's weights
constexpr double kSeconds = 0.5;                    // all runs but the first two
constexpr int64_t kMostRuns = 15;
constexpr double kLeastSeconds = 0.1;  // of runs: first ones are slow
constexpr double kPlain = 1.5;         // times as fast: needs no more runs to be told
constexpr double kVeryPlain = 2.5;     // needs one

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
    const size_t fewest = first < kSeconds ? 3 : 1, plain = std::min<size_t>(fewest, 2);
    std::vector<double> slow, fast;
    double sum = 0;
    const auto is_plain = [&] {  // every run on one side is far faster than every one on the other
      const auto [slow_least, slow_most] = std::minmax_element(slow.begin(), slow.end());
      const auto [fast_least, fast_most] = std::minmax_element(fast.begin(), fast.end());
      const double times = slow.size() >= plain ? kPlain : kVeryPlain;
      return first + sum >= kLeastSeconds && (*slow_least > times * *fast_most || *fast_least > times * *slow_most);
    };
    while (static_cast<int64_t>(slow.size()) < kMostRuns && (sum < kSeconds || slow.size() < fewest) && (slow.empty() || !is_plain())) {
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
