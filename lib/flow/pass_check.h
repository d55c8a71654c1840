#pragma once
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "lib/device/device.h"
#include "lib/ir/graph.h"

namespace onecard {

// Answers that a pass may change by this much of their range, by rounding alone.
constexpr double kPassTolerance = 1e-3;

// Runs the graph before and after a pass on `inputs`; raises check_failed naming the pass when an output moved by more than kPassTolerance of
// its range. Passes that change numbers by design (prune, quantize) are run through without comparing.
std::function<void(std::string_view pass, const Graph& before, const Graph& after)> make_pass_check(Device& device, std::vector<Tensor> inputs);

}  // namespace onecard
