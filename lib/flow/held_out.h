#pragma once
#include "lib/flow/accuracy_meter.h"
#include "lib/flow/compression/judge.h"

namespace onecard {

// How far what is shipped is from the original on samples that compression did not see.
struct HeldOut {
  int64_t samples = 0;
  bool fitted_too = false;  // there were too few to hold any back: compression saw these
  std::vector<std::string> outputs;
  std::vector<OutputTotals> totals;  // per output, over all samples
  // What both answered to the first sample of all, where it is one of them and nothing is carried into it.
  struct Answered {
    std::shared_ptr<const std::vector<Tensor>> original;
    std::vector<Tensor> shipped;
  };
  std::optional<Answered> first;
};

// The original and what is shipped, made ready to be run beside each other.
struct Sides {
  Sides(const GraphPtr& before, const GraphPtr& after, Device& device, int workers, std::shared_ptr<SharedWeights> both);
  std::shared_ptr<SharedWeights> weights;
  std::shared_ptr<const Team> original, shipped;
};

// Runs both networks on the samples that compress() judged its recipes by; streams in closed loop, by `carry` or by what is found in the data.
// `use`: how they were divided; nothing where nothing was fitted.
HeldOut measure_held_out(const Sides& sides, Device& device, const SampleSource& samples, const Carry& carry, const std::optional<SampleUse>& use);

// Below these a network's accuracy is in doubt. Of the 17 labelled networks that compression is tried on, int8 and pruned, most of those below 16 dB
// lost 8 points and more, and one of those above 20 dB more than 3; an error at 20 dB has a tenth of the signal's size, and a cosine of 0.995 says
// the same when the error has nothing to do with the signal. Of what varies in an output (a large constant hides what is lost) a third must be right.
constexpr double kDoubtfulDecibels = 20, kDoubtfulCosine = 0.99, kDoubtfulVarying = 10, kDoubtfulEqual = 0.95;
// One sentence when an output is in doubt, the worst ones named, and `advice`, which says what to do.
std::optional<std::string> accuracy_warning(const HeldOut& held_out, const std::string& advice);

}  // namespace onecard
