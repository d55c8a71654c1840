#pragma once
#include "lib/ops/conv.h"

namespace onecard {

// A dynamic convolution without epilogue as the integer operators of ONNX, added before the node; its result.
Value* add_dynamic_conv(Graph& graph, Node& node, const Conv& op);

}  // namespace onecard
