#include <algorithm>
#include <set>
#include <string_view>
#include <unordered_set>

#include "lib/ir/graph.h"

namespace onecard {

namespace {

constexpr int kMaxNesting = 64;

// Extents that one side does not know do not contradict.
bool agrees(const TensorType& inferred, const TensorType& held) {
  if (inferred == held) return true;
  if (inferred.container != held.container || inferred.dtype != held.dtype) return false;
  const bool same_quant = inferred.quant == held.quant || (inferred.quant && held.quant && *inferred.quant == *held.quant);
  if (!same_quant) return false;
  if (!inferred.shape.has_rank() || !held.shape.has_rank()) return true;
  if (inferred.shape.rank() != held.shape.rank()) return false;
  for (int64_t i = 0; i < held.shape.rank(); ++i) {
    const Dim &a = inferred.shape[i], &b = held.shape[i];
    if (a.is_number() && b.is_number() && !(a == b)) return false;
  }
  return true;
}

void verify_node(const Node& n, const std::set<const Value*>& ready) {
  for (const Value* v : n.inputs) {
    if (!v) continue;
    require(ready.contains(v), ErrorKind::internal, n.op->name(), " uses %", v->name, " before it is produced");
    const auto uses = std::count(v->users.begin(), v->users.end(), &n), wired = std::count(n.inputs.begin(), n.inputs.end(), v);
    require(uses == wired, ErrorKind::internal, "the use list of %", v->name, " holds ", n.op->name(), " ", uses, " times, not ", wired);
  }
  const auto infos = input_infos(n.inputs);
  const auto expect = n.op->infer(InferContext(infos));
  require(expect.size() == n.outputs.size(), ErrorKind::internal, n.op->name(), " has ", n.outputs.size(), " outputs, not ", expect.size());
  for (size_t i = 0; i < expect.size(); ++i) {
    require(n.outputs[i]->producer == &n, ErrorKind::internal, "the producer of %", n.outputs[i]->name, " is wrong");
    if (!agrees(expect[i], n.outputs[i]->type))
      fail(ErrorKind::internal, "%", n.outputs[i]->name, " is ", n.outputs[i]->type.text(), ", ", n.op->name(), " gives ", expect[i].text());
  }
}

void verify_nested(const Graph& g, int depth) {
  require(depth < kMaxNesting, ErrorKind::model, "graphs are nested deeper than ", kMaxNesting);
  std::set<const Value*> ready(g.inputs.begin(), g.inputs.end());
  std::unordered_set<std::string_view> names;
  for (const auto& v : g.values()) {
    if (v.constant) ready.insert(&v);
    require(names.insert(v.name).second, ErrorKind::internal, "two values are named %", v.name);
    if (v.constant && !(v.constant->type() == v.type))
      fail(ErrorKind::internal, "the constant %", v.name, " is ", v.constant->type().text(), ", its value ", v.type.text());
  }
  for (const auto& n : g.nodes()) {
    ErrorScope scope(std::string(n.op->name()) + (n.name.empty() ? "" : " '" + n.name + "'"));
    verify_node(n, ready);
    for (const auto& sub : n.op->subgraphs()) {
      require(sub != nullptr, ErrorKind::internal, "a subgraph is missing");
      verify_nested(*sub, depth + 1);
    }
    ready.insert(n.outputs.begin(), n.outputs.end());
  }
  for (const Value* v : g.outputs) {
    require(v != nullptr && ready.contains(v), ErrorKind::internal, "an output is never produced: %", v ? v->name : "");
  }
}

}  // namespace

void verify(const Graph& graph) {
  ErrorScope scope("verify");
  verify_nested(graph, 0);
}

}  // namespace onecard
