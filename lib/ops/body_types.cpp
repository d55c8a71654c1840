#include "lib/ops/body_types.h"

#include <algorithm>
#include <map>

#include "lib/ops/body_values.h"

namespace onecard {

namespace {

// Rounds of inference until carried types stand still, before what still moves is given up. Loops in loops multiply them, so deep ones get one.
constexpr int kMostRounds = 4;
constexpr int kMostNestedRounds = 3;
// Every level is inferred several times for each time the one around it is: bodies that hold more levels than this stay as they are.
constexpr int kMostRetypedLevels = 8;

int nesting(const Graph& graph, int depth = 0) {
  int deepest = depth;
  if (depth > kMostRetypedLevels) return depth;
  for (const Node& n : graph.nodes())
    for (const GraphPtr& body : n.op->subgraphs()) deepest = std::max(deepest, nesting(*body, depth + 1));
  return deepest;
}

TensorType forgotten(TensorType t) {
  if (t.shape.has_rank()) t.shape = Shape::unknown(t.shape.rank());
  return t;
}

std::vector<TensorType> output_types(const Graph& graph) {
  std::vector<TensorType> types;
  for (const Value* v : graph.outputs) types.push_back(v->type);
  return types;
}

std::vector<TensorType> input_types_of(const Graph& graph) {
  std::vector<TensorType> types;
  for (const Value* v : graph.inputs) types.push_back(v->type);
  return types;
}

}  // namespace

std::vector<TensorType> settled_inputs(const Graph& body, std::vector<TensorType> inputs, size_t first, size_t carried, size_t first_output) {
  const int rounds = nesting(body) < kMostNestedRounds ? kMostRounds : 1;
  for (int round = 0; round < rounds && carried > 0; ++round) {
    const auto given = output_types(retyped(body, inputs));
    bool still = true;
    for (size_t i = 0; i < carried; ++i) {
      TensorType& now = inputs[first + i];
      TensorType next = merged_type(now, given.at(first_output + i));
      if (next == now) continue;
      still = false;
      now = std::move(next);
    }
    if (still) return inputs;
  }
  for (size_t i = 0; i < carried; ++i) inputs[first + i] = forgotten(inputs[first + i]);
  // An iteration may change the rank as well.
  const auto given = output_types(retyped(body, inputs));
  for (size_t i = 0; i < carried; ++i) {
    const Shape &now = inputs[first + i].shape, &next = given.at(first_output + i).shape;
    if (!now.has_rank() || !next.has_rank() || now.rank() != next.rank()) inputs[first + i].shape = Shape::unranked();
  }
  return inputs;
}

namespace {

// The op with its bodies inferred again for these inputs, or null when nothing is gained.
std::shared_ptr<const Op> with_retyped_bodies(const std::shared_ptr<const Op>& op, const std::vector<Value*>& in) {
  const auto* holder = dynamic_cast<const HoldsBodies*>(op.get());
  if (!holder) return nullptr;
  const auto bodies = op->subgraphs();
  if (std::any_of(bodies.begin(), bodies.end(), [](const GraphPtr& b) { return nesting(*b) >= kMostRetypedLevels; })) return nullptr;
  std::vector<GraphPtr> made;
  bool gained = false;
  try {
    const auto infos = input_infos(in);
    const auto types = holder->body_inputs(InferContext(infos));
    for (size_t i = 0; i < bodies.size(); ++i) {
      made.push_back(bodies[i]);
      if (types.at(i) == input_types_of(*bodies[i])) continue;
      try {
        made.back() = std::make_shared<const Graph>(retyped(*bodies[i], types[i]));
        gained = true;
      } catch (const Error& e) {
        if (e.kind != ErrorKind::model) throw;  // never taken, or an error when it is
      }
    }
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return nullptr;
  }
  if (!gained) return nullptr;
  return std::shared_ptr<const Op>(op->with_subgraphs(std::move(made)));
}

}  // namespace

Graph retyped(const Graph& graph, const std::vector<TensorType>& inputs) {
  require(inputs.size() == graph.inputs.size(), ErrorKind::internal, "retyped: ", inputs.size(), " types for ", graph.inputs.size(), " inputs");
  Graph out;
  out.name = graph.name;
  std::map<const Value*, Value*> twins;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Value* v = twins[graph.inputs[i]] = out.add_input(graph.inputs[i]->name, inputs[i]);
    v->origin = graph.inputs[i]->origin;
  }
  for (const Value& v : graph.values())
    if (v.constant) {
      Value* twin = twins[&v] = out.add_constant(v.name, v.constant);
      twin->origin = v.origin;
    }
  for (const Node& n : graph.nodes()) {
    std::vector<Value*> in;
    std::vector<std::string> names;
    for (const Value* v : n.inputs) in.push_back(v ? twins.at(v) : nullptr);
    for (const Value* v : n.outputs) names.push_back(v->name);
    const auto op = with_retyped_bodies(n.op, in);
    ErrorScope scope(std::string(n.op->name()) + (n.name.empty() ? "" : " '" + n.name + "'"));
    Node& node = out.add(op ? op : n.op, std::move(in), names.empty() ? n.name : names[0], names);
    node.name = n.name;
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      node.outputs.at(i)->origin = n.outputs[i]->origin;
      twins[n.outputs[i]] = node.outputs[i];
    }
  }
  for (const Value* v : graph.outputs) out.outputs.push_back(twins.at(v));
  return out;
}

}  // namespace onecard
