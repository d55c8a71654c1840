#include "passes/refine.h"

namespace onecard {

namespace {

// Numbers win over symbols, symbols over nothing; both sides describe the same tensor.
bool refine(Dim& held, const Dim& found) {
  const bool better = (held.is_unknown() && !found.is_unknown()) || (held.is_symbolic() && found.is_number());
  if (better) held = found;
  return better;
}

bool refine(TensorType& held, const TensorType& found) {
  if (!found.shape.has_rank() || found.container != held.container || found.dtype != held.dtype) return false;
  if (!held.shape.has_rank()) {
    held.shape = found.shape;
    return true;
  }
  bool gained = false;
  for (int64_t i = 0; i < held.shape.rank() && held.shape.rank() == found.shape.rank(); ++i) gained |= refine(held.shape[i], found.shape[i]);
  return gained;
}

bool refine(std::optional<std::vector<Dim>>& held, std::optional<std::vector<Dim>> found) {
  if (!found) return false;
  if (!held || held->size() != found->size()) {
    held = std::move(found);
    return true;
  }
  bool gained = false;
  for (size_t i = 0; i < held->size(); ++i) gained |= refine((*held)[i], (*found)[i]);
  return gained;
}

int64_t refine(Node& node) {
  ErrorScope scope(std::string(node.op->name()) + (node.name.empty() ? "" : " '" + node.name + "'"));
  const std::vector<InputInfo> infos = input_infos(node.inputs);
  const InferContext context(infos);
  int64_t gained = 0;
  try {
    const auto types = node.op->infer(context);
    for (size_t i = 0; i < types.size() && i < node.outputs.size(); ++i) gained += refine(node.outputs[i]->type, types[i]);
    if (!node.outputs.empty()) gained += refine(node.outputs[0]->contents, node.op->infer_contents(context));
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    throw ImpossibleModel(e.kind, e.message, e.where);
  }
  return gained;
}

}  // namespace

int64_t refine_types(Graph& graph) {
  int64_t gained = 0;
  for (Node& node : graph.nodes()) gained += refine(node);
  return gained;
}

}  // namespace onecard
