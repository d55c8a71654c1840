#pragma once
#include "lib/ir/graph.h"

namespace onecard {

// What an op that holds bodies tells of the values they are given.
class HoldsBodies {
 public:
  // Per body, in the order of subgraphs(): the types its inputs have in every one of its runs; unknown where runs differ. Raises model when a
  // body cannot be inferred for them.
  virtual std::vector<std::vector<TensorType>> body_inputs(const InferContext& in) const = 0;

 protected:
  ~HoldsBodies() = default;
};

// The graph with inputs of these types and everything inferred again, bodies held by its nodes too; a body that is impossible for them
// stays as it was, and so does one in which bodies are nested deeply. Names, origins and outputs stay. Raises model when a node of the graph itself
// does not fit.
Graph retyped(const Graph& graph, const std::vector<TensorType>& inputs);

// The types that the first `carried` of `inputs`, starting at `first`, keep over all iterations when output `i` of the body (from
// `first_output` on) becomes input `first + i` of the next: what changes on the way becomes unknown.
std::vector<TensorType> settled_inputs(const Graph& body, std::vector<TensorType> inputs, size_t first, size_t carried, size_t first_output);

}  // namespace onecard
