#pragma once
#include <map>
#include <string>
#include <vector>

#include "lib/runtime/data/carry.h"
#include "lib/runtime/executor.h"
#include "passes/pass.h"

namespace onecard {

// Magnitudes of float values, by name; values of bodies count under theirs, with values of the same name elsewhere.
using Magnitudes = std::map<std::string, Magnitude>;

// Over all samples, streamed: one sample and one tensor in memory at a time.
Magnitudes magnitudes_of(const GraphPtr& graph, Device& device, const SampleSource& samples, const Carry& carry,
                         const std::function<void(double)>& progress);
// On one set of inputs. Raises what the run raises.
Magnitudes magnitudes_of(const GraphPtr& graph, Device& device, const std::vector<Tensor>& inputs);

}  // namespace onecard
