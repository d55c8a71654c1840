#pragma once
#include <string>

#include "lib/ir/tensor.h"
#include "lib/onnx/proto.h"

namespace onecard {

// Name, element type and extents, without data.
onnx::TensorProto header_to_proto(const std::string& name, const Tensor& tensor);
// The whole tensor, numbers as raw data. It must be a plain tensor in memory.
onnx::TensorProto tensor_to_proto(const std::string& name, const Tensor& tensor);

}  // namespace onecard
