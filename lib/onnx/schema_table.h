#pragma once
#include <onnx/defs/schema.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace onecard {

// What onnx's checker asks of an operator (how many operands, which attributes), from a table written while building: onnx's own registry makes all
// its thousand schemas before it answers for one, which takes longer than a small network runs. Schemas here have no types, text or shape inference.
class SchemaTable : public onnx::ISchemaRegistry {
 public:
  // The newest version up to that one, or null; lives as long as this table.
  const onnx::OpSchema* GetSchema(const std::string& key, int maxInclusiveVersion, const std::string& domain) const override;

 private:
  mutable std::map<std::pair<std::string, std::string>, std::map<int, std::unique_ptr<onnx::OpSchema>>> made_;  // by domain and name, then version
};

}  // namespace onecard
