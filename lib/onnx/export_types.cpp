#include <algorithm>

#include "lib/onnx/exporter.h"
#include "lib/ops/quantize.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

bool is_narrow(const Value* v) {
  return v && v->type.container == Container::tensor && !v->type.quant && (v->type.dtype == DType::f16 || v->type.dtype == DType::bf16);
}

// Whether ONNX defines the node's operator on the types it has.
bool is_known(const Node& node, const OnnxForm& form) {
  onnx::NodeProto proto;
  proto.set_op_type(form.op_type);
  for (const auto& [name, value] : form.attributes) proto.add_attribute()->set_name(name);
  std::vector<const TensorType*> inputs, outputs;
  for (size_t i = 0; i < written_inputs(node, form); ++i) inputs.push_back(node.inputs[i] ? &node.inputs[i]->type : nullptr);
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  for (const Value* v : node.outputs) outputs.push_back(&v->type);
  return oldest_opset(proto, inputs, outputs).has_value();
}

Value* cast(Graph& graph, Node& at, Value* v, DType to) {
  Cast op;
  op.to = to;
  return graph.add_before(at, std::make_shared<const Cast>(op), {v}, v->name + "." + std::string(info(to).name)).output();
}

bool gives_wide(const Node& node, const std::vector<Value*>& in) {
  try {
    const auto infos = input_infos(in);
    const auto types = node.op->infer(InferContext(infos));
    for (size_t i = 0; i < types.size(); ++i)
      if (types[i].dtype != (is_narrow(node.outputs[i]) ? DType::f32 : node.outputs[i]->type.dtype)) return false;
    return types.size() == node.outputs.size();
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return false;
  }
}

// Puts the same op on f32 in the node's place, its results cast back.
void widen(Graph& graph, Node& node) {
  std::vector<Value*> in = node.inputs;
  for (Value*& v : in)
    if (is_narrow(v)) v = cast(graph, node, v, DType::f32);
  if (!gives_wide(node, in)) return;
  const Node& made = graph.add_before(node, node.op, std::move(in), node.output()->name);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Value *from = node.outputs[i], *to = made.outputs[i];
    graph.replace_uses(from, is_narrow(from) ? cast(graph, node, to, from->type.dtype) : to);
  }
}

}  // namespace

void widen_foreign_types(Graph& graph) {
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it++;
    if (!node.op->subgraphs().empty() || node.as<Quantize>() || node.as<Dequantize>()) continue;
    if (std::none_of(node.inputs.begin(), node.inputs.end(), is_narrow)) continue;
    const auto form = node.op->to_onnx(node);
    if (form && form->domain.empty() && !is_known(node, *form)) widen(graph, node);
  }
  graph.erase_dead();
}

}  // namespace onecard
