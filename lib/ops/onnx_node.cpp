#include "lib/ops/onnx_node.h"

namespace onecard {

Value* OnnxNode::needed(size_t i) const {
  Value* v = input(i);
  require(v != nullptr, ErrorKind::model, "input ", i, " is missing");
  return v;
}

const OnnxBody& OnnxNode::body(std::string_view key) const {
  const auto it = bodies.find(key);
  require(it != bodies.end(), ErrorKind::model, "the graph attribute '", key, "' is missing");
  return it->second;
}

std::optional<std::vector<int64_t>> OnnxNode::ints(std::string_view key, size_t i) const {
  if (has(key)) return attr<std::vector<int64_t>>(key, {});
  const Value* v = input(i);
  if (!v) return std::nullopt;
  require(v->is_constant(), ErrorKind::model, "input ", i, " ('", v->name, "') must be a constant");
  return to_ints(*materialize(v->constant));
}

Node& OnnxNode::add_node(std::shared_ptr<const Op> op, std::vector<Value*> in) const {
  Node& node = graph->add(std::move(op), std::move(in), outputs.empty() || outputs[0].empty() ? name : outputs[0]);
  node.name = name;
  return node;
}
Value* OnnxNode::add(std::shared_ptr<const Op> op, std::vector<Value*> in) const { return add_node(std::move(op), std::move(in)).outputs.at(0); }
Value* OnnxNode::constant(Tensor t) const { return graph->add_constant((outputs.empty() ? name : outputs[0]) + ".const", std::move(t)); }

}  // namespace onecard
