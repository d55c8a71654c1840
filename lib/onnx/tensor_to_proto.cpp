#include "lib/onnx/tensor_to_proto.h"

namespace onecard {

onnx::TensorProto header_to_proto(const std::string& name, const Tensor& tensor) {
  onnx::TensorProto proto;
  proto.set_name(name);
  proto.set_data_type(static_cast<int>(tensor.dtype()));
  for (const int64_t extent : tensor.dims()) proto.add_dims(extent);
  return proto;
}

onnx::TensorProto tensor_to_proto(const std::string& name, const Tensor& tensor) {
  require(tensor.type().container == Container::tensor, ErrorKind::model, "'", name, "' is no plain tensor and has no form in ONNX");
  onnx::TensorProto proto = header_to_proto(name, tensor);
  if (tensor.dtype() == DType::string) {
    for (const auto& text : tensor.text()) proto.add_string_data(text);
  } else {
    proto.set_raw_data(tensor.raw(), static_cast<size_t>(tensor.bytes()));
  }
  return proto;
}

}  // namespace onecard
