#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "lib/ir/text.h"
#include "lib/ops/onnx_node.h"

namespace onecard {

// How one ONNX operator becomes nodes: a member of the op's class, named in its kOnnx list.
//   static constexpr OnnxName kOnnx[] = {{"", "Softmax", 7}};
//   static std::vector<Value*> from_onnx(const OnnxNode&);   // one value per output wanted; may hold null for outputs not wanted
struct OnnxName {
  std::string_view domain, op_type;
  int64_t since_opset = 1;                            // the oldest form that from_onnx understands
};
struct OnnxImporter {
  OnnxName onnx;
  std::string_view op;                                // the IR op that stands for it
  std::vector<Value*> (*from_onnx)(const OnnxNode&);
};

// One row of ops.inc: an IR op, or a class with kOnnx and from_onnx alone for ONNX operators that are expanded at import.
struct OpRow {
  std::string_view name;                              // empty: no IR op
  std::unique_ptr<Op> (*make)() = nullptr;
  std::span<const OnnxName> onnx;
  std::vector<Value*> (*from_onnx)(const OnnxNode&) = nullptr;
};
template <class O>
OpRow op_row() {
  OpRow row;
  if constexpr (std::is_base_of_v<Op, O>) {
    row.name = O::kName;
    row.make = []() -> std::unique_ptr<Op> { return std::make_unique<O>(); };
  }
  if constexpr (requires { O::kOnnx; }) {
    row.onnx = O::kOnnx;
    row.from_onnx = &O::from_onnx;
  }
  return row;
}
// Stands once in the op's .cpp; `OP(Type)` in ops.inc finds it.
#define DEFINE_OP(Type) \
  OpRow row_of_##Type() { return op_row<Type>(); }

// All IR ops by name, from ops.inc; raises model for an unknown name.
std::unique_ptr<Op> make_op(std::string_view name);
std::vector<std::string_view> op_names();             // sorted
// The importer of an ONNX operator, or null.
const OnnxImporter* find_importer(std::string_view domain, std::string_view op_type);
std::vector<OnnxImporter> onnx_importers();           // sorted by domain and name
// parse_graph with every op known and no numbered constants.
Graph parse_graph(std::string_view text);
// Runs a graph by the ops' reference alone; subgraphs too. The oracle of passes and kernels.
std::vector<Tensor> run_reference(const Graph& graph, const std::vector<const Tensor*>& inputs);
// One node by its reference on actual tensors: infers with the values, allocates the outputs, evaluates.
std::vector<Tensor> evaluate(const Op& op, const std::vector<const Tensor*>& inputs);

}  // namespace onecard
