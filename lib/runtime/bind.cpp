#include "lib/runtime/bind.h"

#include "lib/ops/control.h"
#include "lib/ops/quantize.h"
#include "lib/ops/registry.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

// Loads a narrow float constant as f32, when it is needed.
class WideningSource : public TensorSource {
 public:
  explicit WideningSource(ConstTensor narrow) : narrow_(std::move(narrow)) {}
  void load(std::span<std::byte> into) const override {
    const Tensor wide = convert(*materialize(narrow_), DType::f32);
    std::copy_n(wide.raw(), into.size(), into.data());
  }
  std::string text() const override { return "widened"; }

 private:
  ConstTensor narrow_;
};

// Loads a quantized constant as the real numbers it stands for, when they are needed.
class DequantizingSource : public TensorSource {
 public:
  DequantizingSource(ConstTensor stored, DType dtype) : stored_(std::move(stored)), dtype_(dtype) {}
  void load(std::span<std::byte> into) const override {
    const Tensor real = dequantize_tensor(*materialize(stored_));
    const Tensor narrow = dtype_ == DType::f32 ? Tensor() : convert(real, dtype_);
    std::copy_n((dtype_ == DType::f32 ? real : narrow).raw(), into.size(), into.data());
  }
  std::string text() const override { return "dequantized"; }

 private:
  ConstTensor stored_;
  DType dtype_;
};

class Binder {
 public:
  Binder(const BindOptions& options) : options_(options) {}

  Graph bind(const Graph& source, const std::vector<TensorType>& inputs) {
    require(inputs.size() == source.inputs.size(), ErrorKind::internal, "bind: ", inputs.size(), " types for ", source.inputs.size(), " inputs");
    out_.name = source.name;
    Twins twins;
    for (size_t i = 0; i < inputs.size(); ++i) {
      Value* v = out_.add_input(source.inputs[i]->name, inputs[i]);
      v->origin = source.inputs[i]->origin;
      twins[source.inputs[i]] = widen(v);
    }
    add_nodes(source, twins);
    for (size_t i = 0; i < source.outputs.size(); ++i) add_output(*source.outputs[i], at(twins, source.outputs[i]));
    out_.erase_dead();
    return std::move(out_);
  }

 private:
  using Twins = std::map<const Value*, Value*>;       // value of the source -> value of the result

  bool narrow(const TensorType& t) const { return options_.computes && t.container == Container::tensor && is_float(t.dtype) && t.dtype != DType::f64 && !t.quant && info(t.dtype).bits >= 16 && !options_.computes(t.dtype); }

  Value* cast(Value* v, DType to) {
    auto op = std::make_shared<Cast>();
    op->to = to;
    return out_.add(op, {v}, v->name + ".as_" + std::string(info(to).name)).outputs[0];
  }
  Value* widen(Value* v) { return narrow(v->type) ? cast(v, DType::f32) : v; }

  Value* constant_twin(const Value& v) {
    ConstTensor data = v.constant;
    if (narrow(v.type)) {
      ConstTensor& wide = (*options_.widened)[data];
      if (!wide) {
        const TensorType type(DType::f32, v.type.shape);
        if (data->bytes() <= options_.fold_limit_bytes) wide = std::make_shared<const Tensor>(convert(*materialize(data), DType::f32));
        else wide = std::make_shared<const Tensor>(Tensor::deferred(type, std::make_shared<WideningSource>(data)));
      }
      data = wide;
    }
    Value* twin = out_.add_constant(v.name, std::move(data));
    twin->origin = v.origin;
    return twin;
  }

  Value* at(Twins& twins, const Value* v) {
    if (!v) return nullptr;
    if (const auto it = twins.find(v); it != twins.end()) return it->second;
    require(v->constant != nullptr, ErrorKind::internal, "bind: %", v->name, " is not there");
    return twins[v] = constant_twin(*v);
  }

  void add_nodes(const Graph& source, Twins& twins) {
    for (const auto& n : source.nodes()) {
      std::vector<Value*> in;
      for (const Value* v : n.inputs) in.push_back(at(twins, v));
      ErrorScope scope(std::string(n.op->name()) + (n.name.empty() ? "" : " '" + n.name + "'"));
      if (inline_known_if(n, in, twins) || dequantize_constant(n, in, twins) || fold(n, in, twins)) continue;
      add_node(n, in, twins);
    }
  }

  // Control flow keeps the element types its bodies were written for.
  void narrow_inputs(const Node& n, std::vector<Value*>& in) {
    for (size_t i = 0; i < in.size(); ++i)
      if (in[i] && narrow(n.inputs[i]->type) && in[i]->type.dtype != n.inputs[i]->type.dtype) in[i] = cast(in[i], n.inputs[i]->type.dtype);
  }

  void add_node(const Node& n, std::vector<Value*> in, Twins& twins) {
    if (!n.op->subgraphs().empty()) narrow_inputs(n, in);
    std::vector<std::string> names;
    for (const Value* v : n.outputs) names.push_back(v->name);
    Node& node = out_.add(n.op, std::move(in), names.empty() ? n.name : names[0], names);
    node.name = n.name;
    for (size_t i = 0; i < n.outputs.size(); ++i) {
      node.outputs[i]->origin = n.outputs[i]->origin;
      twins[n.outputs[i]] = widen(node.outputs[i]);
    }
    Value* first = node.outputs.empty() ? nullptr : node.outputs[0];
    if (first && node.outputs.size() == 1) fold_contents(n, *first, twins);
  }

  // An integer value whose elements follow from the shapes is a constant.
  void fold_contents(const Node& n, Value& v, Twins& twins) {
    if (!v.contents || !v.type.is_static() || !is_integer(v.type.dtype) || static_cast<int64_t>(v.contents->size()) != element_count(v.type.shape.numbers())) return;
    Tensor t(v.type);
    for (size_t i = 0; i < v.contents->size(); ++i) {
      if (!(*v.contents)[i].is_number()) return;
      t.set_int(static_cast<int64_t>(i), (*v.contents)[i].number());
    }
    Value* c = out_.add_constant(v.name, std::move(t));
    c->origin = v.origin;
    twins[n.outputs[0]] = c;
  }

  // Kernels pack constants: a weight that is read as real numbers is one, however large.
  bool dequantize_constant(const Node& n, const std::vector<Value*>& in, Twins& twins) {
    if (!options_.widened || !n.as<Dequantize>() || !in[0]->constant || !in[0]->type.quant) return false;
    const TensorType type(narrow(n.outputs[0]->type) ? DType::f32 : n.outputs[0]->type.dtype, in[0]->type.shape);
    const auto make = [&] {
      return std::make_shared<const Tensor>(Tensor::deferred(type, std::make_shared<DequantizingSource>(in[0]->constant, type.dtype)));
    };
    ConstTensor& shared = (*options_.widened)[in[0]->constant];
    if (!shared) shared = make();
    const ConstTensor real = shared->dtype() == type.dtype ? shared : make();  // rarely: read in two types
    Value* twin = out_.add_constant(n.outputs[0]->name, real);
    twin->origin = n.outputs[0]->origin;
    twins[n.outputs[0]] = twin;
    return true;
  }

  bool fold(const Node& n, const std::vector<Value*>& in, Twins& twins) {
    if (!n.op->is_pure() || !n.op->subgraphs().empty()) return false;
    for (const Value* v : in)
      if (v && !v->constant) return false;
    const auto infos = input_infos(in);
    const auto types = n.op->infer(InferContext(infos));
    for (const auto& t : types)
      if (!t.is_static() || t.bytes() > options_.fold_limit_bytes || element_count(t.shape.numbers()) > options_.fold_limit_bytes) return false;
    std::vector<ConstTensor> held;
    std::vector<const Tensor*> tensors;
    for (const Value* v : in) {
      held.push_back(v ? materialize(v->constant) : nullptr);
      tensors.push_back(held.back().get());
    }
    std::vector<Tensor> results(types.begin(), types.end());
    n.op->reference(tensors, results);
    for (size_t i = 0; i < results.size(); ++i) {
      // What a value of this type is worth depends on its quantization, which evaluation keeps in the type.
      Value* c = out_.add_constant(n.outputs[i]->name, std::move(results[i]));
      c->origin = n.outputs[i]->origin;
      twins[n.outputs[i]] = narrow(c->type) ? constant_twin(*c) : c;
    }
    return true;
  }

  bool inline_known_if(const Node& n, const std::vector<Value*>& in, Twins& twins) {
    const auto* op = n.as<If>();
    if (!op || in.empty() || !in[0] || !in[0]->constant) return false;
    const ConstTensor condition = materialize(in[0]->constant);
    if (condition->elements() != 1 || condition->dtype() != DType::boolean) return false;
    const GraphPtr& branch = condition->data<bool>()[0] ? op->then_branch : op->else_branch;
    bodies_.push_back(branch);                        // its values are keys of the map
    Twins inner;
    for (size_t i = 0; i < branch->inputs.size(); ++i) inner[branch->inputs[i]] = in.at(i + 1);
    add_nodes(*branch, inner);
    for (size_t i = 0; i < n.outputs.size(); ++i) twins[n.outputs[i]] = at(inner, branch->outputs.at(i));
    return true;
  }

  // An output has the element type the network promises.
  void add_output(const Value& wanted, Value* v) {
    if (narrow(wanted.type) && v->type.dtype == DType::f32) {
      // The narrow value itself may still be there, under the name; then it is dead or equal, and the name must be free.
      if (v->producer && v->producer->as<Cast>() && v->producer->inputs[0]->name == wanted.name) v = v->producer->inputs[0];
      else v = cast(v, wanted.type.dtype);
    }
    out_.outputs.push_back(v);
  }

  const BindOptions& options_;
  Graph out_;
  std::vector<GraphPtr> bodies_;
};

}  // namespace

Graph bind_graph(const Graph& graph, const std::vector<TensorType>& inputs, const BindOptions& options) { return Binder(options).bind(graph, inputs); }

std::vector<TensorType> input_types(const Graph& graph, const SymbolValues& values) {
  std::vector<TensorType> types;
  for (const Value* v : graph.inputs) {
    TensorType t = v->type;
    if (t.shape.has_rank()) {
      std::vector<Dim> dims;
      for (const Dim& d : t.shape.dims()) {
        Dim bound = d.bind(values);
        if (!bound.is_number()) {
          SymbolValues ones;
          for (const auto& s : bound.symbols()) ones[s] = 1;
          bound = bound.is_unknown() ? Dim(1) : bound.bind(ones);
        }
        dims.push_back(bound);
      }
      t.shape = Shape(std::move(dims));
    }
    types.push_back(std::move(t));
  }
  return types;
}

void check_input(const Value& declared, const TensorType& given) {
  const auto wrong = [&] { fail(ErrorKind::model, "input '", declared.name, "' is ", given.text(), ", the model takes ", declared.type.text()); };
  if (declared.type.container != given.container && declared.type.container == Container::tensor) wrong();
  if (declared.type.container != Container::tensor) return;
  if (declared.type.dtype != given.dtype) wrong();
  if (!declared.type.shape.has_rank()) return;
  if (declared.type.shape.rank() != given.shape.rank()) wrong();
  for (int64_t i = 0; i < given.shape.rank(); ++i)
    if (declared.type.shape[i].is_number() && !(declared.type.shape[i] == given.shape[i])) wrong();
}

}  // namespace onecard
