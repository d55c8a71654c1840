#pragma once
#include "lib/base/file.h"
#include "lib/ir/tensor.h"

namespace onecard {

struct NamedTensor {
  std::string name;                                   // as stored; may be empty
  Tensor tensor;                                      // without value: an empty optional
};

// The value stored in a .pb file: a TensorProto, SequenceProto or OptionalProto. The file does not say which: `expected` (the type of the graph
// input or output it belongs to, may be null) decides; without it the first that fits is taken. Raises io, or model when nothing fits.
NamedTensor read_tensor_proto(const Path& pb, const TensorType* expected = nullptr);

// Writes a tensor as TensorProto, a sequence as SequenceProto, an empty optional as OptionalProto.
void write_tensor_proto(const Path& pb, const std::string& name, const Tensor& tensor);

}  // namespace onecard
