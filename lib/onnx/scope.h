#pragma once
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/onnx/proto.h"
#include "lib/ir/graph.h"

namespace onecard {

class Scope;

// Raised while problems are collected: a value that a node with a problem should have made. It is no problem of the node that asks.
struct UnknownValue {};

// An attribute of the node that calls a function, and where its graphs look up their names.
struct BoundAttribute {
  const onnx::AttributeProto* proto = nullptr;
  Scope* scope = nullptr;                             // null: a default, which holds no graph
};

// What is in force while nodes of the model itself, or of one call of a function, are imported.
struct Frame {
  Opsets opsets;
  std::string prefix;                                 // of value names inside a call; empty for the model itself
  bool is_call = false;
  std::map<std::string, BoundAttribute, std::less<>> attributes;  // of a call, by name: what ref_attr_name refers to
};

// The names of one ONNX graph, or of one call of a function within it. A name that is not found belongs to the enclosing graph: its value becomes an
// extra input of this graph (a capture), or a constant here when it is one there.
class Scope {
 public:
  // `enclosing`: the scope around a subgraph; null for the model's graph and for function calls, which see nothing outside.
  Scope(Graph& graph, const Frame& frame, Scope* enclosing) : graph_(graph), frame_(frame), enclosing_(enclosing) {}
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  Graph& graph() const { return graph_; }
  const Frame& frame() const { return frame_; }
  // The value of a name, null for "" and for an absent optional input of a function; raises model when nothing has the name.
  Value* lookup(const std::string& name);
  // Gives `v` an ONNX name, and takes it as its own name where it has none yet; raises model when the name is taken. v may be null: absent.
  void bind(const std::string& name, Value* v);
  // Names an argument of a call; the value keeps its own name. v may be null: absent.
  void bind_argument(const std::string& name, Value* v) {
    require(names_.emplace(name, v).second, ErrorKind::model, "two arguments are named '", name, "'");
  }
  // Remembers a name that its node does not produce; an error only when somebody asks for it.
  void bind_missing(const std::string& name, const std::string& why) { missing_[name] = why; }

  // Marks a name that nobody can know: whoever asks for it gets UnknownValue.
  void bind_unknown(const std::string& name) { unknown_.insert(name); }

  struct Capture {
    Value* outer = nullptr;
    Value* inner = nullptr;
  };
  const std::vector<Capture>& captures() const { return captures_; }
  // The input of this graph that stands for a value of the enclosing one, made when needed.
  Value* capture(Value* outer);

 private:
  Value* find(const std::string& name);
  void name_value(Value* v, const std::string& name);
  Graph& graph_;
  const Frame& frame_;
  Scope* enclosing_;
  std::unordered_map<std::string, Value*> names_;     // looked up only, never iterated
  std::map<std::string, std::string> missing_;
  std::set<std::string> unknown_;
  std::unordered_map<const Value*, Value*> constants_;  // of the enclosing graph -> here; looked up only
  std::vector<Capture> captures_;
};

}  // namespace onecard
