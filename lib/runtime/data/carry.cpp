#include "lib/runtime/data/carry.h"

#include <algorithm>

namespace onecard {

void apply_carry(const Carry& carry, const Graph& graph, size_t index, const std::vector<Tensor>& previous_outputs, Sample& sample) {
  for (const auto& [out, in] : carry.pairs) {
    const auto o = std::find_if(graph.outputs.begin(), graph.outputs.end(), [&](const Value* v) { return v->name == out; });
    const auto i = std::find_if(graph.inputs.begin(), graph.inputs.end(), [&](const Value* v) { return v->name == in; });
    require(o != graph.outputs.end(), ErrorKind::usage, "--carry ", out, "=", in, ": the model has no output '", out, "'");
    require(i != graph.inputs.end(), ErrorKind::usage, "--carry ", out, "=", in, ": the model has no input '", in, "'");
    const bool starts = std::find(carry.starts.begin(), carry.starts.end(), index) != carry.starts.end();
    if (starts || previous_outputs.empty()) continue;
    sample.inputs[static_cast<size_t>(i - graph.inputs.begin())] = previous_outputs[static_cast<size_t>(o - graph.outputs.begin())].clone();
  }
}

}  // namespace onecard
