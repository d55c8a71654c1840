#include "lib/onnx/tensor_proto.h"

#include <onnx/onnx-data.pb.h>

#include <optional>

#include "lib/onnx/tensor_to_proto.h"
#include "lib/onnx/weights.h"

namespace onecard {

namespace {

using onnx::OptionalProto;
using onnx::SequenceProto;

TensorType element_type(const std::vector<Tensor>& items, const TensorType* expected) {
  TensorType type = items.empty() ? TensorType() : items[0].type();
  if (items.empty() && expected) type = TensorType(expected->dtype, expected->shape);
  for (const Tensor& item : items) {
    require(item.dtype() == type.dtype, ErrorKind::model, "a sequence holds tensors of different element types");
    if (!(item.type() == type)) type.shape = item.rank() == type.shape.rank() ? Shape::unknown(item.rank()) : Shape::unranked();
    if (!type.shape.has_rank()) break;
  }
  return type;
}

NamedTensor from_sequence(const SequenceProto& proto, const TensorType* expected) {
  require(proto.elem_type() == SequenceProto::TENSOR || (proto.elem_type() == SequenceProto::UNDEFINED && proto.tensor_values_size() == 0), ErrorKind::model,
          "only sequences of tensors are supported");
  std::vector<Tensor> items;
  for (const auto& item : proto.tensor_values()) items.push_back(tensor_from_proto(item, nullptr));
  const TensorType type = element_type(items, expected);
  return {proto.name(), Tensor::sequence(type, std::move(items))};
}

NamedTensor from_optional(const OptionalProto& proto, const TensorType* expected) {
  switch (proto.elem_type()) {
    case OptionalProto::TENSOR: return {proto.name(), proto.has_tensor_value() ? tensor_from_proto(proto.tensor_value(), nullptr) : Tensor()};
    case OptionalProto::SEQUENCE: {
      NamedTensor result = proto.has_sequence_value() ? from_sequence(proto.sequence_value(), expected) : NamedTensor{};
      result.name = proto.name();
      return result;
    }
    case OptionalProto::UNDEFINED: return {proto.name(), Tensor()};
    default: fail(ErrorKind::model, "only optional tensors and sequences are supported");
  }
}

// A message of another kind often parses, but leaves fields over.
template <class Proto>
Proto parse_exactly(const Path& pb, std::string_view what) {
  Proto proto;
  parse_file(proto, pb, what);
  require(proto.GetReflection()->GetUnknownFields(proto).empty(), ErrorKind::model, "'", pb.filename().string(), "' is no ", what);
  return proto;
}

NamedTensor read_as(Container container, const Path& pb, const TensorType* expected) {
  switch (container) {
    case Container::sequence: return from_sequence(parse_exactly<SequenceProto>(pb, "SequenceProto"), expected);
    case Container::optional:
    case Container::optional_sequence: return from_optional(parse_exactly<OptionalProto>(pb, "OptionalProto"), expected);
    default: {
      const auto proto = parse_exactly<onnx::TensorProto>(pb, "TensorProto");
      return {proto.name(), tensor_from_proto(proto, nullptr)};
    }
  }
}

// The message a file holds is not written in it; a wrong guess is a model error.
std::optional<NamedTensor> try_as(Container container, const Path& pb, const TensorType* expected) {
  try {
    return read_as(container, pb, expected);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return std::nullopt;
  }
}

}  // namespace

NamedTensor read_tensor_proto(const Path& pb, const TensorType* expected) {
  ErrorScope scope("reading " + pb.filename().string());
  const Container first = expected ? expected->container : Container::tensor;
  if (auto found = try_as(first, pb, expected)) return std::move(*found);
  for (const Container other : {Container::tensor, Container::sequence, Container::optional}) {
    if (other == first || (expected && first == Container::tensor)) continue;
    if (auto found = try_as(other, pb, expected)) return std::move(*found);
  }
  return read_as(first, pb, expected);                // raises again what was wrong with it
}

void write_tensor_proto(const Path& pb, const std::string& name, const Tensor& tensor) {
  ErrorScope scope("writing " + pb.filename().string());
  if (!tensor.has_value()) {
    OptionalProto proto;
    proto.set_name(name);
    proto.set_elem_type(OptionalProto::UNDEFINED);
    return write_file(proto, pb);
  }
  if (tensor.type().container == Container::sequence || tensor.type().container == Container::optional_sequence) {
    SequenceProto proto;
    proto.set_name(name);
    proto.set_elem_type(SequenceProto::TENSOR);
    for (const Tensor& item : tensor.items()) *proto.add_tensor_values() = tensor_to_proto("", item);
    return write_file(proto, pb);
  }
  write_file(tensor_to_proto(name, tensor), pb);
}

}  // namespace onecard
