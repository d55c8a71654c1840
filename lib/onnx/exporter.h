#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/ir/graph.h"
#include "lib/onnx/proto.h"

namespace onecard {

// A copy of the graph in which every node has a form in ONNX: fused nodes are taken apart, and f16 and bf16 are widened around operators that ONNX does
// not define on them; in subgraphs too when they are written.
Graph in_onnx_forms(const Graph& graph);
void widen_foreign_types(Graph& graph);
// How many inputs of the node are written: what an operator has as attributes is a constant input here, after its own.
size_t written_inputs(const Node& node, const OnnxForm& form);
// How many inputs of a node with subgraphs, and how many inputs of its bodies, are not captures.
struct FormalInputs {
  size_t node = 0, body = 0;
};
FormalInputs formal_inputs(const Op& op);
// The oldest opset, from kExportOpset on, whose definition of a standard operator has the node's attributes and takes these types; null: absent.
// Nothing when ONNX has no such operator on these types.
std::optional<int64_t> oldest_opset(const onnx::NodeProto& node, const std::vector<const TensorType*>& inputs, const std::vector<const TensorType*>& outputs);
// The IR version that came with an opset; older ones do not know its element types.
int64_t ir_version_of(int64_t opset);

// Where weights go: into the model, or to a data file beside it.
class WeightSink {
 public:
  virtual ~WeightSink() = default;
  // Writes a tensor; the message that stands for it in the model.
  virtual onnx::TensorProto put(const std::string& name, const ConstTensor& tensor) = 0;
};

// Writes one graph, with its subgraphs, as ModelProto. Names are unique in the whole model; every constant is stored once, in the main graph.
class Exporter {
 public:
  explicit Exporter(WeightSink& sink) : sink_(sink) {}
  onnx::ModelProto run(const Graph& graph);

 private:
  using Names = std::map<const Value*, std::string>;  // of the values of one graph; looked up only
  std::string unique(const std::string& wanted);
  std::string name_of(const Names& names, const Value* v) const;
  void add_nodes(const Graph& graph, Names& names, onnx::GraphProto& out);
  void add_node(const Node& node, Names& names, onnx::GraphProto& out);
  void set_io(const Node& node, size_t inputs, const Names& names, onnx::NodeProto& out) const;
  void add_quantize(const Node& node, const Names& names, onnx::GraphProto& out);
  void add_attribute(const Node& node, const std::string& name, const OnnxAttribute& value, const Names& names, onnx::NodeProto& out);
  void add_body(const Node& node, const Graph& body, const Names& outer, onnx::GraphProto& out);
  std::string body_output(const Value* v, const Names& names, std::set<const Value*>& given, onnx::GraphProto& out);
  onnx::NodeProto& new_node(onnx::GraphProto& out, const std::string& op_type, const std::string& wanted);
  std::string initializer(const std::string& wanted, const ConstTensor& tensor);
  void need_opset(const onnx::NodeProto& proto, const std::vector<const TensorType*>& inputs, const Node& node);

  WeightSink& sink_;
  onnx::ModelProto model_;
  std::set<std::string> taken_, node_names_;
  std::map<std::string, std::set<std::string>> domains_;  // operators written, by domain
  int64_t opset_ = kExportOpset;                      // what the nodes written so far need
  std::map<const Tensor*, std::string> stored_;       // looked up only
  std::vector<std::unique_ptr<Graph>> kept_;          // rewritten bodies whose values are keys of Names
};

}  // namespace onecard
