#pragma once
#include "lib/plan/plan.h"

namespace onecard {

// The launches of a graph in order with their buffers, before memory is given out: kernels chosen, layouts settled, reorders in place. Buffers
// that are views name what they alias; in-place results do not yet.
struct StepList {
  std::vector<PlanStep> steps;
  std::vector<Buffer> buffers;
  std::vector<PlannedWeight> weights;
  std::vector<int> pooled_outputs;                    // buffers of the pool that are outputs of the graph: needed to the end
};
StepList make_steps(const Graph& graph, const Device& device, int threads);

// The best kernel for a node and its step, with the reasons of better ones that declined. Both are null when none supports the node.
struct Chosen {
  const Kernel* kernel = nullptr;
  std::unique_ptr<Step> step;
  std::vector<std::string> why_not;
};
Chosen choose_kernel(const Device& device, const KernelQuery& query);

// What a kernel is told of a node; the spans live as long as this.
struct QueryOf {
  QueryOf(const Node& node, std::vector<Layout> layouts, int threads);
  std::vector<TensorType> in, out;
  std::vector<ConstTensor> constants;
  std::vector<Layout> in_layouts;
  KernelQuery query;
};
// Whether the node runs unplanned: its results depend on data, it holds graphs, or handles values that are no plain tensors.
bool is_dynamic(const Node& node);

}  // namespace onecard
