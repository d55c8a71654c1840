#pragma once
#include <list>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "lib/ir/op.h"

namespace onecard {

// One tensor flowing through a graph: a graph input, a constant, or an output of `producer`.
struct Value {
  std::string name;                                   // unique in its graph
  TensorType type;
  Node* producer = nullptr;
  ConstTensor constant;
  std::optional<std::vector<Dim>> contents;           // of small integer values, from Op::infer_contents
  std::vector<Node*> users;                           // one entry per use
  std::vector<std::string> origin;                    // names of the ONNX tensors this value equals
  bool is_constant() const { return constant != nullptr; }
};

// An application of an op. Inputs may be null: an absent optional input.
struct Node {
  std::shared_ptr<const Op> op;
  std::vector<Value*> inputs, outputs;
  std::string name;                                   // the ONNX node's, for messages; may be empty
  template <class T>
  const T* as() const { return dynamic_cast<const T*>(op.get()); }
  Value* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  Value* output(size_t i = 0) const { return outputs[i]; }

 private:
  friend class Graph;
  std::list<Node>::iterator place_;
};

// Owns nodes and values; addresses are stable. Nodes are always listed in an order in which they can run.
// Edited by add, add_before, replace_uses, set_inputs and erase_dead alone.
class Graph {
 public:
  Graph() = default;
  Graph(Graph&&) noexcept = default;
  Graph& operator=(Graph&&) noexcept = default;
  // A deep copy of the structure; ops and constants are shared.
  Graph clone() const;

  std::string name;
  std::vector<Value*> inputs, outputs;                // outputs may name an input or a constant

  Value* add_input(const std::string& name, TensorType type);
  Value* add_constant(const std::string& name, Tensor data) { return add_constant(name, std::make_shared<const Tensor>(std::move(data))); }
  Value* add_constant(const std::string& name, ConstTensor data);
  // Infers the outputs' types; raises model under a scope naming the op when the inputs do not fit. `names`: of the outputs; missing or
  // empty ones are made from `name_hint`.
  Node& add(std::shared_ptr<const Op> op, std::vector<Value*> in, const std::string& name_hint, const std::vector<std::string>& names = {});
  Node& add_before(Node& at, std::shared_ptr<const Op> op, std::vector<Value*> in, const std::string& name_hint);
  // Every use of `from`, as a graph output too, becomes `to`; `to` takes over the origin, and a public output name.
  void replace_uses(Value* from, Value* to);
  // Replaces the inputs of one node (same number or not); types of its outputs are inferred again and must not change.
  void set_inputs(Node& node, std::vector<Value*> in);
  void set_output(size_t index, Value* value) { outputs[index] = value; }
  // Gives a value another name, which no other value of the graph may have.
  void rename(Value* v, const std::string& name) {
    names_.erase(v->name);
    require(names_.insert(name).second, ErrorKind::internal, "the name '", name, "' is taken");
    v->name = name;
  }
  // Removes nodes none of whose outputs is used, and unused constants.
  void erase_dead();

  bool is_output(const Value* v) const;
  Value* find(std::string_view name) const;           // null when there is none
  const std::list<Node>& nodes() const { return nodes_; }
  std::list<Node>& nodes() { return nodes_; }
  const std::list<Value>& values() const { return values_; }
  std::list<Value>& values() { return values_; }
  // A name no value has, made from `wanted`.
  std::string unique(const std::string& wanted) const;

 private:
  Node& insert(std::list<Node>::iterator at, std::shared_ptr<const Op> op, std::vector<Value*> in, const std::string& hint, const std::vector<std::string>& names);
  Value* new_value(const std::string& name, TensorType type);
  std::list<Node> nodes_;
  std::list<Value> values_;
  std::unordered_set<std::string> names_;             // membership only, never iterated
};

// What inference may know of a node's inputs.
std::vector<InputInfo> input_infos(const std::vector<Value*>& in);
// Raises internal, naming the value or node, unless: names unique, order runs, use lists exact, types equal what infer says (where
// infer knows), outputs produced; subgraphs too.
void verify(const Graph& graph);
// Same ops, fields, wiring and types in the same order; names and constant data ignored.
bool same_structure(const Graph& a, const Graph& b);

}  // namespace onecard
