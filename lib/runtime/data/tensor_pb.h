#pragma once
#include <string>

#include "lib/base/file.h"
#include "lib/ir/tensor.h"

namespace onecard {

// A tensor file of the ONNX test-data layout: one serialized TensorProto, or SequenceProto / OptionalProto where `container` says so. Read
// without protobuf, so that the small runner needs none. Raises io.
struct PbTensor {
  std::string name;
  Tensor tensor;
};
PbTensor read_tensor_pb(const Path& path, Container container);

}  // namespace onecard
