#include "lib/runtime/data/carry.h"

#include <algorithm>

namespace onecard {

void apply_carry(const Carry& carry, const Graph& graph, size_t index, const std::vector<Tensor>& previous_outputs, Sample& sample) {
  for (const auto& [out, in] : carry.pairs) {
    const auto o = std::find_if(graph.outputs.begin(), graph.outputs.end(), [&out = out](const Value* v) { return v->name == out; });
    const auto i = std::find_if(graph.inputs.begin(), graph.inputs.end(), [&in = in](const Value* v) { return v->name == in; });
    require(o != graph.outputs.end(), ErrorKind::usage, "--carry ", out, "=", in, ": the model has no output '", out, "'");
    require(i != graph.inputs.end(), ErrorKind::usage, "--carry ", out, "=", in, ": the model has no input '", in, "'");
    // What every later sample would stumble over is said before the first one runs.
    const TensorType &from = (*o)->type, &to = (*i)->type;
    bool fits = from.container == to.container && from.dtype == to.dtype;
    if (fits && from.shape.has_rank() && to.shape.has_rank()) {
      fits = from.shape.rank() == to.shape.rank();
      for (int64_t axis = 0; fits && axis < to.shape.rank(); ++axis)
        fits = !from.shape[axis].is_number() || !to.shape[axis].is_number() || from.shape[axis] == to.shape[axis];
    }
    require(fits, ErrorKind::usage, "--carry ", out, "=", in, ": the output is ", from, ", the input takes ", to);
    const bool starts = std::find(carry.starts.begin(), carry.starts.end(), index) != carry.starts.end();
    if (starts || previous_outputs.empty()) continue;
    sample.inputs[static_cast<size_t>(i - graph.inputs.begin())] = previous_outputs[static_cast<size_t>(o - graph.outputs.begin())].clone();
  }
}

}  // namespace onecard
