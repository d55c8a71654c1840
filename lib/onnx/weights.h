#pragma once
#include <unordered_map>

#include "lib/onnx/external_data.h"
#include "lib/onnx/proto.h"

namespace onecard {

// The data of a TensorProto as a tensor; `files` resolves external data, null refuses it. Raises model, naming the tensor, when dimensions, element
// type and data do not agree to the byte.
Tensor tensor_from_proto(const onnx::TensorProto& proto, ExternalFiles* files);

// The constants of one model. Large ones are moved out of the protobuf, whose TensorProto stays behind without data and stands for them.
class Weights {
 public:
  Weights(const Path& model, const std::vector<Path>& allowed_roots) : files_(model, allowed_roots) {}
  // Moves every large or external tensor of the model here; what is left in its place has no elements and satisfies onnx's checker.
  void take(onnx::ModelProto& model);
  ConstTensor of(const onnx::TensorProto& proto);
  ConstTensor of(const onnx::SparseTensorProto& proto);
  // The tensor moved out from here, or null.
  ConstTensor taken(const onnx::TensorProto& proto) const;
  std::vector<std::shared_ptr<const MappedFile>> data_files() const { return files_.opened(); }
  // Lets `proto` stand for a tensor.
  void put(const onnx::TensorProto& proto, ConstTensor tensor) { taken_[&proto] = std::move(tensor); }

 private:
  void take_graph(onnx::GraphProto& graph);
  void take_nodes(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes);
  void take_tensor(onnx::TensorProto& proto);
  ExternalFiles files_;
  std::unordered_map<const onnx::TensorProto*, ConstTensor> taken_;  // looked up only, never iterated
};

}  // namespace onecard
