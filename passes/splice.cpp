#include "passes/splice.h"

namespace onecard {

std::vector<Value*> splice(Graph& to, Node* at, const Graph& from, Twins& twins) {
  for (const Value& v : from.values()) {
    if (!v.constant || twins.contains(&v)) continue;
    Value* twin = to.add_constant(v.name, v.constant);
    twin->origin = v.origin;
    twins[&v] = twin;
  }
  for (const Node& node : from.nodes()) {
    std::vector<Value*> in;
    for (const Value* v : node.inputs) in.push_back(v ? twins.at(v) : nullptr);
    const std::string hint = node.outputs.empty() ? "v" : node.output()->name;
    Node& copy = at ? to.add_before(*at, node.op, std::move(in), hint) : to.add(node.op, std::move(in), hint);
    copy.name = node.name;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      copy.outputs[i]->origin = node.outputs[i]->origin;
      twins[node.outputs[i]] = copy.outputs[i];
    }
  }
  std::vector<Value*> results;
  for (const Value* v : from.outputs) results.push_back(twins.at(v));
  return results;
}

}  // namespace onecard
