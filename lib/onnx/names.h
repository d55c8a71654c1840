#pragma once
#include <onnx/onnx_pb.h>

#include <string_view>

namespace onecard {

// Raises model unless every name in the model (values, nodes, operators, attributes, domains) is UTF-8: names end up in messages, JSON and bundles.
void check_names(const onnx::ModelProto& model);
bool is_utf8(std::string_view text);

}  // namespace onecard
