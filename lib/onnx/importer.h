#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/onnx/model.h"
#include "lib/onnx/operators.h"
#include "lib/onnx/scope.h"

namespace onecard {

// Turns one loaded model, all of whose operators resolve, into a graph.
class Importer {
 public:
  // Hears of a node that cannot be imported, and why.
  using Problem = std::function<void(const onnx::NodeProto& node, const Opsets& opsets, const std::string& reason)>;

  Importer(LoadedModel& model, const ImportOptions& options) : model_(model), options_(options), operators_(*model.proto) {}
  Graph run();
  // Imports what can be imported, past nodes with problems and what depends on them, for the problems alone.
  void collect(Problem problem);

 private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  // A subgraph imported so far: its own inputs, and what it took from outside.
  struct Body {
    std::string name;                                 // of the attribute
    std::unique_ptr<Graph> graph = std::make_unique<Graph>();
    std::unique_ptr<Scope> scope;
    size_t formal = 0;
  };

  // import_graph.cpp
  void add_inputs(Scope& scope, const onnx::GraphProto& proto);
  TensorType input_type(const onnx::ValueInfoProto& input, SymbolValues& fixed);
  Dim input_dim(const std::string& input, const onnx::TensorShapeProto::Dimension& dim, int64_t axis);
  void fix_shape(TensorType& type, const std::string& input, const Dims& wanted, SymbolValues& fixed) const;
  std::string symbol_for(const std::string& key, const std::string& wanted);
  void add_initializers(Scope& scope, const onnx::GraphProto& proto, const std::set<std::string>& formal);
  void add_nodes(Scope& scope, const Nodes& nodes);
  void add_outputs(Scope& scope, const onnx::GraphProto& proto);

  // import_node.cpp
  void add_node(Scope& scope, const onnx::NodeProto& node);
  void import_node(Scope& scope, const onnx::NodeProto& node, const Resolution& how);
  void add_operator(Scope& scope, const onnx::NodeProto& node, const OnnxImporter& importer);
  std::optional<OnnxAttribute> attribute(const onnx::AttributeProto& proto);
  BoundAttribute resolve(Scope& scope, const onnx::AttributeProto& proto) const;

  // import_body.cpp
  Body import_body(Scope& outer, const std::string& name, const onnx::GraphProto& proto, const std::vector<Value*>& node_inputs);
  void finish_bodies(std::vector<Body>& bodies, OnnxNode& node);

  // import_function.cpp
  void call(Scope& scope, const onnx::NodeProto& node, const onnx::FunctionProto& function, const onnx::OpSchema* schema);
  void call_schema(Scope& scope, const onnx::NodeProto& node, const onnx::OpSchema& schema);
  onnx::NodeProto with_attributes(Scope& scope, const onnx::NodeProto& node) const;

  LoadedModel& model_;
  const ImportOptions& options_;
  Operators operators_;
  std::map<std::string, std::string> symbols_;        // dim_param, or a nameless axis, to its symbol
  std::set<std::string> symbols_taken_;
  Problem problem_;                                   // when set, a node that fails does not end the import
  int expanding_ = 0;                                 // definitions by onnx in one another, whose nodes are no nodes of the file
  int depth_ = 0;                                     // of subgraphs and calls in one another
  int64_t nodes_ = 0;                                 // imported in all: functions multiply
};

// Counts one level deeper for its lifetime; raises model beyond kMaxDepth.
class DepthGuard {
 public:
  explicit DepthGuard(int& depth) : depth_(depth) {
    require(depth_ < kMaxDepth, ErrorKind::model, "subgraphs and functions are nested more than ", kMaxDepth, " deep");
    ++depth_;
  }
  ~DepthGuard() { --depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  int& depth_;
};

}  // namespace onecard
