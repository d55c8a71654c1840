#include <onnx/defs/data_type_utils.h>
#include <onnx/defs/schema.h>

#include <algorithm>

#include "lib/onnx/exporter.h"

namespace onecard {

namespace {

using Formals = std::vector<onnx::OpSchema::FormalParameter>;

// Whether the formal parameters take values of these types; null: an absent one.
bool take(const Formals& formals, const std::vector<const TensorType*>& types) {
  for (size_t i = 0; i < types.size(); ++i) {
    if (formals.empty()) return false;
    const bool repeats = formals.back().GetOption() == onnx::OpSchema::Variadic;
    if (i >= formals.size() && !repeats) return false;
    if (!types[i]) continue;
    const auto& allowed = formals[std::min(i, formals.size() - 1)].GetTypes();
    if (!allowed.contains(onnx::Utils::DataTypeUtils::ToType(type_to_proto(*types[i])))) return false;
  }
  return true;
}

}  // namespace

std::optional<int64_t> oldest_opset(const onnx::NodeProto& node, const std::vector<const TensorType*>& inputs, const std::vector<const TensorType*>& outputs) {
  const int newest = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("").second;
  for (int opset = kExportOpset; opset <= newest; ++opset) {
    const auto* schema = onnx::OpSchemaRegistry::Schema(node.op_type(), opset, "");
    if (!schema || schema->Deprecated()) continue;
    const bool known =
        std::all_of(node.attribute().begin(), node.attribute().end(), [&](const auto& a) { return schema->attributes().contains(a.name()); });
    if (known && take(schema->inputs(), inputs) && take(schema->outputs(), outputs)) return opset;
  }
  return std::nullopt;
}

int64_t ir_version_of(int64_t opset) {
  // As the onnx package paired them in its releases 1.16 to 1.20.
  constexpr std::pair<int64_t, int64_t> kNewestOpset[] = {{22, 10}, {23, 11}, {24, 12}};
  for (const auto& [last, ir_version] : kNewestOpset)
    if (opset <= last) return ir_version;
  return 13;
}

}  // namespace onecard
