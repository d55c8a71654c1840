#include "lib/onnx/names.h"

#include "lib/base/error.h"

namespace onecard {

namespace {

void check(std::string_view name, std::string_view what) {
  require(is_utf8(name), ErrorKind::model, "the name of ", what, " is not UTF-8; the file may be damaged");
}

void check_graph(const onnx::GraphProto& graph);

void check_nodes(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
  for (const auto& node : nodes) {
    check(node.name(), "a node");
    check(node.op_type(), "an operator");
    check(node.domain(), "a domain");
    for (const auto& name : node.input()) check(name, "a node's input");
    for (const auto& name : node.output()) check(name, "a node's output");
    for (const auto& attribute : node.attribute()) {
      check(attribute.name(), "an attribute");
      if (attribute.has_g()) check_graph(attribute.g());
      for (const auto& graph : attribute.graphs()) check_graph(graph);
    }
  }
}

void check_graph(const onnx::GraphProto& graph) {
  check(graph.name(), "a graph");
  for (const auto& input : graph.input()) check(input.name(), "an input");
  for (const auto& output : graph.output()) check(output.name(), "an output");
  for (const auto& initializer : graph.initializer()) check(initializer.name(), "an initializer");
  for (const auto& initializer : graph.sparse_initializer()) check(initializer.values().name(), "an initializer");
  check_nodes(graph.node());
}

}  // namespace

// Lead byte, its continuation bytes, no overlong forms, no surrogates, nothing beyond U+10FFFF (RFC 3629).
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
    if (length == 0 || text.size() - i < length) return false;
    for (size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    const unsigned char second = length > 2 ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool wrong = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f);
    if (wrong) return false;
    i += length;
  }
  return true;
}

void check_names(const onnx::ModelProto& model) {
  check_graph(model.graph());
  for (const auto& import : model.opset_import()) check(import.domain(), "a domain");
  for (const auto& function : model.functions()) {
    check(function.name(), "a function");
    check(function.domain(), "a domain");
    for (const auto& name : function.input()) check(name, "a function's input");
    for (const auto& name : function.output()) check(name, "a function's output");
    check_nodes(function.node());
  }
}

}  // namespace onecard
