#pragma once
#include "lib/ops/onnx_node.h"

namespace onecard {

// The attribute `key` as the value that `names` gives its text; raises model for other texts.
template <class E>
E onnx_enum(const OnnxNode& node, std::string_view key, std::string_view otherwise, std::initializer_list<std::pair<std::string_view, E>> names) {
  const auto text = node.attr<std::string>(key, std::string(otherwise));
  for (const auto& [name, value] : names)
    if (name == text) return value;
  fail(ErrorKind::model, "attribute '", key, "' is '", text, "', which ", node.op_type, " does not know");
}

}  // namespace onecard
