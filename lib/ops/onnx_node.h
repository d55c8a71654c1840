#pragma once
#include <map>
#include <string>
#include <vector>

#include "lib/ir/graph.h"

namespace onecard {

// A graph attribute of an ONNX node, imported: its captures of outer values were made extra inputs, after the formal ones.
struct OnnxBody {
  GraphPtr graph;
  std::vector<Value*> captures;                       // values of the enclosing graph, one per extra input
};

// One node of an ONNX file being imported into `graph`; knows nothing of protobuf. Opset differences, from 1 on, are settled by the
// ops' from_onnx, which add nodes in the form of opset 21 and return the values of the node's outputs.
struct OnnxNode {
  std::string op_type, domain, name;
  int64_t opset = 0;                                  // of `domain`
  Graph* graph = nullptr;
  std::vector<Value*> inputs;                         // null: absent
  std::vector<std::string> outputs;                   // names in the file; "" where not wanted
  std::map<std::string, OnnxAttribute, std::less<>> attributes;
  std::map<std::string, OnnxBody, std::less<>> bodies;

  Value* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  Value* needed(size_t i) const;                      // raises model when absent
  bool wants(size_t output) const { return output < outputs.size() && !outputs[output].empty(); }
  bool has(std::string_view key) const { return attributes.contains(key); }
  // The attribute, or `otherwise`; raises model when it has another type.
  template <class T>
  T attr(std::string_view key, T otherwise) const {
    auto it = attributes.find(key);
    if (it == attributes.end()) return otherwise;
    const auto* v = std::get_if<T>(&it->second);
    if (!v) fail(ErrorKind::model, "attribute '", key, "' has the wrong type");
    return *v;
  }
  template <class T>
  T needed_attr(std::string_view key) const {
    require(has(key), ErrorKind::model, "attribute '", key, "' is missing");
    return attr<T>(key, T{});
  }
  const OnnxBody& body(std::string_view key) const;
  // The integers of an input that older opsets gave as attribute `key`: from the attribute, or from the constant input `i`; none when
  // neither is there. Raises unsupported-model when input i is there and not constant.
  std::optional<std::vector<int64_t>> ints(std::string_view key, size_t i) const;

  // Adds a node; its (first) output. The names of the values are made from this node's.
  Value* add(std::shared_ptr<const Op> op, std::vector<Value*> in) const;
  Node& add_node(std::shared_ptr<const Op> op, std::vector<Value*> in) const;
  template <class O>
  Value* add_op(O op, std::vector<Value*> in) const { return add(std::make_shared<const O>(std::move(op)), std::move(in)); }
  // All outputs of a node added so, as from_onnx returns them.
  template <class O>
  std::vector<Value*> add_all(O op, std::vector<Value*> in) const { return add_node(std::make_shared<const O>(std::move(op)), std::move(in)).outputs; }
  Value* constant(Tensor t) const;
};

}  // namespace onecard
