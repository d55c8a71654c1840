#pragma once
#include <onnx/defs/schema.h>

#include <map>
#include <tuple>

#include "lib/onnx/proto.h"
#include "lib/ops/registry.h"

namespace onecard {

// How a node becomes nodes of a graph: exactly one is set, or none when it is unsupported.
struct Resolution {
  const onnx::FunctionProto* function = nullptr;      // of the model itself
  const OnnxImporter* importer = nullptr;
  const onnx::OpSchema* schema = nullptr;             // which defines the operator by a function body
  explicit operator bool() const { return function || importer || schema; }
};

// The operators a model may use.
class Operators {
 public:
  explicit Operators(const onnx::ModelProto& model);
  Resolution resolve(const onnx::NodeProto& node, const Opsets& opsets) const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, const onnx::FunctionProto*> functions_;
};

// The version of the node's domain; 1 where it is not imported.
int64_t opset_of(const onnx::NodeProto& node, const Opsets& opsets);
// Versions inside a model's function: its own imports, the model's where it has none.
Opsets function_opsets(const onnx::FunctionProto& function, const Opsets& model);
// The body of an operator that the onnx library defines as a function, when it does not depend on the inputs' types; else null.
const onnx::FunctionProto* schema_body(const onnx::OpSchema& schema, int64_t opset);

}  // namespace onecard
