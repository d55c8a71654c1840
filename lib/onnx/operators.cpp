#include "lib/onnx/operators.h"

#include <algorithm>

namespace onecard {

namespace {

// Whether the library can write the operator as a function at this opset.
bool has_body(const onnx::OpSchema& schema, int64_t opset) {
  if (schema_body(schema, opset)) return true;
  const auto versions = schema.context_dependent_function_opset_versions();
  return std::any_of(versions.begin(), versions.end(), [&](int since) { return since <= opset; });
}

}  // namespace

Operators::Operators(const onnx::ModelProto& model) {
  for (const auto& function : model.functions()) {
    const bool first = functions_.emplace(Key{standard_domain(function.domain()), function.name(), function.overload()}, &function).second;
    require(first, ErrorKind::model, "the function '", function.name(), "' of domain '", function.domain(), "' is defined twice");
  }
}

Resolution Operators::resolve(const onnx::NodeProto& node, const Opsets& opsets) const {
  const std::string domain = standard_domain(node.domain());
  const int64_t opset = opset_of(node, opsets);
  Resolution result;
  if (const auto own = functions_.find(Key{domain, node.op_type(), node.overload()}); own != functions_.end()) {
    result.function = own->second;
    return result;
  }
  const OnnxImporter* importer = find_importer(domain, node.op_type());
  if (importer && opset >= importer->onnx.since_opset) {
    result.importer = importer;
    return result;
  }
  const auto* schema = onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset), domain);
  if (schema && has_body(*schema, opset)) result.schema = schema;
  return result;
}

int64_t opset_of(const onnx::NodeProto& node, const Opsets& opsets) {
  const auto found = opsets.find(standard_domain(node.domain()));
  return found == opsets.end() ? 1 : std::clamp<int64_t>(found->second, 1, INT32_MAX);
}

Opsets function_opsets(const onnx::FunctionProto& function, const Opsets& model) {
  Opsets opsets = opsets_of(function.opset_import());
  opsets.insert(model.begin(), model.end());
  return opsets;
}

const onnx::FunctionProto* schema_body(const onnx::OpSchema& schema, int64_t opset) {
  return schema.HasFunction() ? schema.GetFunction(static_cast<int>(opset)) : nullptr;
}

}  // namespace onecard
