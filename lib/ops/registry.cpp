#include "lib/ops/registry.h"

#include <algorithm>
#include <map>

namespace onecard {

#define OP(Type) OpRow row_of_##Type();
#include "lib/ops/ops.inc"
#undef OP

namespace {

constexpr OpRow (*kRows[])() = {
#define OP(Type) &row_of_##Type,
#include "lib/ops/ops.inc"
#undef OP
};

struct Tables {
  std::map<std::string_view, OpRow> ops;
  std::map<std::pair<std::string_view, std::string_view>, OnnxImporter> onnx;
};

const Tables& tables() {
  static const Tables made = [] {
    Tables t;
    for (const auto row_of : kRows) {
      const OpRow row = row_of();
      if (row.make) t.ops.emplace(row.name, row);
      for (const auto& name : row.onnx) t.onnx.emplace(std::pair(name.domain, name.op_type), OnnxImporter{name, row.name, row.from_onnx});
    }
    return t;
  }();
  return made;
}

}  // namespace

std::unique_ptr<Op> make_op(std::string_view name) {
  const auto it = tables().ops.find(name);
  require(it != tables().ops.end(), ErrorKind::model, "no operator is named '", name, "'");
  return it->second.make();
}

std::vector<std::string_view> op_names() {
  std::vector<std::string_view> names;
  for (const auto& [name, row] : tables().ops) names.push_back(name);
  return names;
}

const OnnxImporter* find_importer(std::string_view domain, std::string_view op_type) {
  const auto it = tables().onnx.find({domain == "ai.onnx" ? "" : domain, op_type});
  return it == tables().onnx.end() ? nullptr : &it->second;
}

std::vector<OnnxImporter> onnx_importers() {
  std::vector<OnnxImporter> all;
  for (const auto& [name, importer] : tables().onnx) all.push_back(importer);
  return all;
}

Graph parse_graph(std::string_view text) { return parse_graph(text, ParseOptions{make_op, nullptr}); }

std::vector<Tensor> evaluate(const Op& op, const std::vector<const Tensor*>& inputs) {
  std::vector<InputInfo> infos;
  for (const Tensor* t : inputs) {
    InputInfo info;
    if (!t) info.type.container = Container::none;
    else {
      info.type = t->type();
      if (t->type().container == Container::tensor) info.constant = std::make_shared<const Tensor>(t->alias(t->type()));
    }
    infos.push_back(std::move(info));
  }
  std::vector<Tensor> out;
  for (auto& type : op.infer(InferContext(infos))) out.push_back(type.is_static() ? Tensor(std::move(type)) : Tensor());
  op.reference(inputs, out);
  return out;
}

std::vector<Tensor> run_reference(const Graph& graph, const std::vector<const Tensor*>& inputs) {
  require(inputs.size() == graph.inputs.size(), ErrorKind::internal, "run_reference: ", inputs.size(), " inputs for ", graph.inputs.size());
  std::map<const Value*, const Tensor*> at;
  std::map<const Node*, std::vector<Tensor>> held;
  std::vector<ConstTensor> loaded;
  for (size_t i = 0; i < inputs.size(); ++i) at[graph.inputs[i]] = inputs[i];
  for (const auto& v : graph.values())
    if (v.constant) {
      loaded.push_back(materialize(v.constant));
      at[&v] = loaded.back().get();
    }
  for (const auto& n : graph.nodes()) {
    std::vector<const Tensor*> in;
    for (const Value* v : n.inputs) in.push_back(v ? at.at(v) : nullptr);
    ErrorScope scope(std::string(n.op->name()) + (n.name.empty() ? "" : " '" + n.name + "'"));
    auto& out = held[&n] = evaluate(*n.op, in);
    for (size_t i = 0; i < out.size(); ++i) at[n.outputs[i]] = &out[i];
  }
  std::vector<Tensor> result;
  for (const Value* v : graph.outputs) result.push_back(at.at(v)->clone());
  return result;
}

}  // namespace onecard
