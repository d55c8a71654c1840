// Runs while building: prints what onnx's schemas say of every version of every operator as C++ text for lib/onnx/schema_table.cpp, one line each.
#include <onnx/defs/schema.h>

#include <cstdio>
#include <string>
#include <vector>

namespace {

// "s" single, "o" optional, "v" variadic, "V" variadic of any types; a variadic one's least number follows.
std::string parameters(const std::vector<onnx::OpSchema::FormalParameter>& list) {
  std::string text;
  for (const auto& p : list) {
    if (p.GetOption() == onnx::OpSchema::Variadic) text += (p.GetIsHomogeneous() ? "v" : "V") + std::to_string(p.GetMinArity());
    else text += p.GetOption() == onnx::OpSchema::Optional ? "o" : "s";
  }
  return text;
}

// "name:type" with "!" after what is required.
std::string attributes(const onnx::OpSchema& schema) {
  std::string text;
  for (const auto& [name, a] : schema.attributes()) text += name + ":" + std::to_string(a.type) + (a.required ? "!" : "") + ",";
  return text;
}

}  // namespace

int main() {
  std::puts("R\"(");
  size_t printed = 0;
  for (const auto& s : onnx::OpSchemaRegistry::get_all_schemas_with_history()) {
    std::printf("%s|%s|%d|%d|%s|%s|%s\n", s.domain().c_str(), s.Name().c_str(), s.SinceVersion(), s.Deprecated() ? 1 : 0,
                parameters(s.inputs()).c_str(), parameters(s.outputs()).c_str(), attributes(s).c_str());
    if (++printed % 100 == 0) std::puts(")\"\nR\"(");  // compilers bound the length of one literal, not of several in a row
  }
  std::puts(")\"");
}
