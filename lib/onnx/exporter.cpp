#include "lib/onnx/exporter.h"

#include <onnx/defs/schema.h>

#include <algorithm>

#include "lib/onnx/tensor_to_proto.h"
#include "lib/ops/quantize.h"

namespace onecard {

namespace {

// The newest version of a domain in which every operator written is defined; raises model when there is none.
int64_t version_for(const std::string& domain, const std::set<std::string>& op_types) {
  const auto& known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto range = known.find(domain);
  if (range == known.end()) return 1;
  int64_t oldest = 1, newest = range->second.second;
  for (const auto& op_type : op_types) {
    const auto* schema = onnx::OpSchemaRegistry::Schema(op_type, range->second.second, domain);
    require(schema != nullptr, ErrorKind::internal, "onnx knows no operator ", domain, ".", op_type);
    if (schema->Deprecated()) newest = std::min<int64_t>(newest, schema->SinceVersion() - 1);
    else oldest = std::max<int64_t>(oldest, schema->SinceVersion());
  }
  require(oldest <= newest, ErrorKind::model, "no one version of the domain '", domain, "' has all operators needed");
  return newest;
}

void add_used_names(const onnx::GraphProto& graph, std::set<std::string>& used) {
  for (const auto& output : graph.output()) used.insert(output.name());
  for (const auto& node : graph.node()) {
    used.insert(node.input().begin(), node.input().end());
    for (const auto& attribute : node.attribute())
      if (attribute.has_g()) add_used_names(attribute.g(), used);
  }
}

// Drops constants that no node names: those that became attributes.
void drop_unused_initializers(onnx::GraphProto& graph) {
  std::set<std::string> used;
  add_used_names(graph, used);
  auto& all = *graph.mutable_initializer();
  int kept = 0;
  for (int i = 0; i < all.size(); ++i)
    if (used.contains(all[i].name())) all.SwapElements(i, kept++);
  all.DeleteSubrange(kept, all.size() - kept);
}

void set_value_info(onnx::ValueInfoProto& out, const std::string& name, const TensorType& type) {
  out.set_name(name);
  *out.mutable_type() = type_to_proto(type);
}

}  // namespace

size_t written_inputs(const Node& node, const OnnxForm& form) {
  if (!node.op->subgraphs().empty()) return formal_inputs(*node.op).node;
  const auto* schema = form.domain.empty() ? nullptr : onnx::OpSchemaRegistry::Schema(form.op_type, form.domain);
  return schema ? std::min(node.inputs.size(), static_cast<size_t>(schema->max_input())) : node.inputs.size();
}

std::string Exporter::unique(const std::string& wanted) {
  std::string name = wanted.empty() ? "v" : wanted;
  for (int64_t i = 1; !taken_.insert(name).second; ++i) name = wanted + "." + std::to_string(i);
  return name;
}

std::string Exporter::name_of(const Names& names, const Value* v) const {
  if (!v) return "";
  const auto found = names.find(v);
  require(found != names.end(), ErrorKind::internal, "value '", v->name, "' was not exported");
  return found->second;
}

std::string Exporter::initializer(const std::string& wanted, const ConstTensor& tensor) {
  const auto [entry, added] = stored_.emplace(tensor.get(), std::string());
  if (!added) return entry->second;
  const std::string name = unique(wanted);
  *model_.mutable_graph()->add_initializer() = sink_.put(name, tensor);
  return entry->second = name;
}

// Names of the main graph are kept, all others yield to them.
onnx::ModelProto Exporter::run(const Graph& original) {
  const Graph graph = in_onnx_forms(original);
  model_.set_producer_name("onecard");
  auto& out = *model_.mutable_graph();
  out.set_name(graph.name.empty() ? "graph" : graph.name);
  Names names;
  for (const Value& v : graph.values()) {
    taken_.insert(v.name);
    if (!v.is_constant() || graph.is_output(&v)) names[&v] = v.name;
  }
  for (const Value& v : graph.values()) {
    if (!v.is_constant()) continue;
    if (names.contains(&v)) {
      *out.add_initializer() = sink_.put(v.name, v.constant);
    } else {
      taken_.erase(v.name);
      names[&v] = initializer(v.name, v.constant);
    }
  }
  for (const Value* v : graph.inputs) set_value_info(*out.add_input(), names.at(v), v->type);
  add_nodes(graph, names, out);
  for (const Value* v : graph.outputs) set_value_info(*out.add_output(), names.at(v), v->type);
  drop_unused_initializers(out);
  domains_[""];
  model_.set_ir_version(ir_version_of(opset_));
  for (const auto& [domain, op_types] : domains_) {
    auto& import = *model_.add_opset_import();
    import.set_domain(domain);
    import.set_version(domain.empty() ? opset_ : version_for(domain, op_types));
  }
  return std::move(model_);
}

void Exporter::add_nodes(const Graph& graph, Names& names, onnx::GraphProto& out) {
  for (const Node& node : graph.nodes()) add_node(node, names, out);
}

onnx::NodeProto& Exporter::new_node(onnx::GraphProto& out, const std::string& op_type, const std::string& wanted) {
  auto& node = *out.add_node();
  node.set_op_type(op_type);
  std::string name = wanted;
  for (int64_t i = 1; !name.empty() && !node_names_.insert(name).second; ++i) name = wanted + "." + std::to_string(i);
  node.set_name(name);
  return node;
}

// Absent optional inputs are "", none of them at the end.
void Exporter::set_io(const Node& node, size_t inputs, const Names& names, onnx::NodeProto& out) const {
  size_t last = std::min(inputs, node.inputs.size());
  while (last > 0 && !node.inputs[last - 1]) --last;
  for (size_t i = 0; i < last; ++i) out.add_input(name_of(names, node.inputs[i]));
  for (const Value* v : node.outputs) out.add_output(name_of(names, v));
}

void Exporter::add_node(const Node& node, Names& names, onnx::GraphProto& out) {
  ErrorScope scope("exporting node '" + (node.name.empty() ? node.output()->name : node.name) + "' (" + std::string(node.op->name()) + ")");
  if (node.as<Quantize>() || node.as<Dequantize>()) return add_quantize(node, names, out);
  const auto form = node.op->to_onnx(node);
  require(form.has_value(), ErrorKind::internal, "has no ONNX form");
  const size_t inputs = written_inputs(node, *form);
  auto& proto = new_node(out, form->op_type, node.name);
  proto.set_domain(form->domain);
  domains_[form->domain].insert(form->op_type);
  set_io(node, inputs, names, proto);
  for (const auto& [name, value] : form->attributes) add_attribute(node, name, value, names, proto);
  std::vector<const TensorType*> types;
  for (size_t i = 0; i < inputs; ++i) types.push_back(node.inputs[i] ? &node.inputs[i]->type : nullptr);
  while (!types.empty() && !types.back()) types.pop_back();
  if (form->domain.empty()) need_opset(proto, types, node);
}

void Exporter::need_opset(const onnx::NodeProto& proto, const std::vector<const TensorType*>& inputs, const Node& node) {
  std::vector<const TensorType*> outputs;
  for (const Value* v : node.outputs) outputs.push_back(&v->type);
  opset_ = std::max(opset_, oldest_opset(proto, inputs, outputs).value_or(kExportOpset));  // none: onnx's checker says so
}

void Exporter::add_attribute(const Node& node, const std::string& name, const OnnxAttribute& value, const Names& names, onnx::NodeProto& out) {
  using A = onnx::AttributeProto;
  auto& a = *out.add_attribute();
  a.set_name(name);
  struct Write {
    Exporter& exporter;
    const Node& node;
    const Names& names;
    A& a;
    void operator()(int64_t v) const { a.set_type(A::INT), a.set_i(v); }
    void operator()(float v) const { a.set_type(A::FLOAT), a.set_f(v); }
    void operator()(const std::string& v) const { a.set_type(A::STRING), a.set_s(v); }
    void operator()(const std::vector<int64_t>& v) const { a.set_type(A::INTS), a.mutable_ints()->Add(v.begin(), v.end()); }
    void operator()(const std::vector<float>& v) const { a.set_type(A::FLOATS), a.mutable_floats()->Add(v.begin(), v.end()); }
    void operator()(const std::vector<std::string>& v) const {
      a.set_type(A::STRINGS);
      for (const auto& s : v) a.add_strings(s);
    }
    void operator()(const ConstTensor& v) const { a.set_type(A::TENSOR), *a.mutable_t() = tensor_to_proto("", *materialize(v)); }
    void operator()(const GraphPtr& v) const { a.set_type(A::GRAPH), exporter.add_body(node, *v, names, *a.mutable_g()); }
  };
  std::visit(Write{*this, node, names, a}, value);
}

// Inputs beyond the formal ones are captures: the body then uses the name of the outer value.
void Exporter::add_body(const Node& node, const Graph& original, const Names& outer, onnx::GraphProto& out) {
  kept_.push_back(std::make_unique<Graph>(in_onnx_forms(original)));
  const Graph& body = *kept_.back();
  const FormalInputs formal = formal_inputs(*node.op);
  out.set_name(unique(body.name.empty() ? "body" : body.name));
  Names names;
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    const Value* v = body.inputs[i];
    if (i < formal.body) {
      names[v] = unique(v->name);
      set_value_info(*out.add_input(), names[v], v->type);
    } else {
      const size_t at = formal.node + (i - formal.body);
      require(at < node.inputs.size() && node.inputs[at], ErrorKind::internal, "a capture is missing");
      names[v] = name_of(outer, node.inputs[at]);
    }
  }
  for (const Value& v : body.values()) {
    if (names.contains(&v)) continue;
    names[&v] = v.is_constant() ? initializer(v.name, v.constant) : unique(v.name);
  }
  add_nodes(body, names, out);
  std::set<const Value*> given;  // membership only
  for (const Value* v : body.outputs) set_value_info(*out.add_output(), body_output(v, names, given, out), v->type);
}

// What a body gives back must be made in it, each under its own name.
std::string Exporter::body_output(const Value* v, const Names& names, std::set<const Value*>& given, onnx::GraphProto& out) {
  const std::string name = name_of(names, v);
  if (given.insert(v).second && v->producer) return name;
  auto& copy = new_node(out, "Identity", "");
  copy.add_input(name);
  copy.add_output(unique(name + "_copy"));
  return copy.output(0);
}

// The quantized side of the node says the scale. i32 has no zero point in ONNX.
void Exporter::add_quantize(const Node& node, const Names& names, onnx::GraphProto& out) {
  const bool quantizes = node.as<Quantize>() != nullptr;
  const TensorType& type = quantizes ? node.output()->type : node.inputs.at(0)->type;
  require(type.quant != nullptr, ErrorKind::internal, "no quantization");
  const Quantization& q = *type.quant;
  require(q.block == 0 || type.is_static(), ErrorKind::model, "a tensor quantized in blocks has unknown extents: ", type);
  const Dims dims = q.block == 0 ? q.axis < 0 ? Dims{} : Dims{static_cast<int64_t>(q.scale.size())} : scale_dims(type.shape.numbers(), q);
  const std::string base = node.output()->name;
  Tensor zero(type.dtype, dims);
  for (int64_t i = 0; i < zero.elements(); ++i) zero.set_int(i, q.zero_at(static_cast<size_t>(i)));
  auto& proto = new_node(out, quantizes ? "QuantizeLinear" : "DequantizeLinear", node.name);
  proto.add_input(name_of(names, node.inputs[0]));
  // A published constant of its own per node: not shared, and so not looked up again.
  const auto add = [&](const std::string& wanted, Tensor tensor) {
    const std::string name = unique(wanted);
    *model_.mutable_graph()->add_initializer() = sink_.put(name, std::make_shared<const Tensor>(std::move(tensor)));
    proto.add_input(name);
  };
  add(base + "_scale", Tensor::of<float>(dims, q.scale));
  if (type.dtype != DType::i32) add(base + "_zero_point", std::move(zero));
  proto.add_output(name_of(names, node.output()));
  const auto set = [&](const char* name, int64_t value) {
    auto& a = *proto.add_attribute();
    a.set_name(name);
    a.set_type(onnx::AttributeProto::INT);
    a.set_i(value);
  };
  if (q.axis >= 0) set("axis", q.axis);
  if (q.block > 0) set("block_size", q.block);
  const TensorType scale(DType::f32, Shape::unranked());
  need_opset(proto, {&node.inputs[0]->type, &scale}, node);
}

}  // namespace onecard
