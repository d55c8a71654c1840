#include "lib/onnx/weights.h"

#include <algorithm>
#include <cstring>

namespace onecard {

namespace {

constexpr size_t kSmallBytes = 1024;                  // tensors up to this size stay in the protobuf
constexpr int64_t kMaxElements = INT64_MAX / 32;      // so that sizes in bytes cannot overflow
constexpr int64_t kMaxDenseBytes = int64_t{1} << 30;  // of a sparse initializer written out
constexpr int kMaxRank = 64;

TensorType type_of(const onnx::TensorProto& proto) {
  require(dtype_is_known(proto.data_type()) && proto.data_type() != 0, ErrorKind::model, "element type ", proto.data_type(), " is not known");
  require(proto.dims_size() <= kMaxRank, ErrorKind::model, "has ", proto.dims_size(), " dimensions, the limit is ", kMaxRank);
  require(!proto.has_segment(), ErrorKind::model, "is stored in segments, which is not supported");
  const Dims dims(proto.dims().begin(), proto.dims().end());
  const int64_t elements = element_count(dims);
  require(elements <= kMaxElements, ErrorKind::model, "has ", elements, " elements, the limit is ", kMaxElements);
  return TensorType(static_cast<DType>(proto.data_type()), Shape::of(dims));
}

bool is_external(const onnx::TensorProto& proto) { return proto.data_location() == onnx::TensorProto::EXTERNAL; }

ExternalPlace place_of(const onnx::TensorProto& proto) {
  ExternalPlace place;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") place.location = entry.value();
    if (entry.key() == "offset") place.offset = entry.value();
    if (entry.key() == "length") place.length = entry.value();
  }
  return place;
}

void need_have(std::string_view field, int64_t need, int64_t have, const TensorType& type) {
  require(need == have, ErrorKind::model, type, " needs ", need, " ", field, ", the file has ", have);
}

// Typed fields hold one number per element, narrower types widened; packed ones one per byte, complex ones two.
template <class Stored, class Field>
Tensor from_numbers(const TensorType& type, const Field& field, std::string_view name) {
  const int64_t need = info(type.dtype).bits < 8 ? type.bytes() : type.bytes() / static_cast<int64_t>(sizeof(Stored));
  need_have(name, need, field.size(), type);
  Tensor tensor(type);
  std::byte* out = tensor.raw();
  for (const auto number : field) {
    const auto stored = static_cast<Stored>(number);
    std::memcpy(out, &stored, sizeof stored);
    out += sizeof stored;
  }
  return tensor;
}

Tensor from_typed_fields(const onnx::TensorProto& proto, const TensorType& type) {
  switch (type.dtype) {
    case DType::f32:
    case DType::c64: return from_numbers<float>(type, proto.float_data(), "values in float_data");
    case DType::f64:
    case DType::c128: return from_numbers<double>(type, proto.double_data(), "values in double_data");
    case DType::i64: return from_numbers<int64_t>(type, proto.int64_data(), "values in int64_data");
    case DType::u64: return from_numbers<uint64_t>(type, proto.uint64_data(), "values in uint64_data");
    case DType::u32: return from_numbers<uint32_t>(type, proto.uint64_data(), "values in uint64_data");
    case DType::i32: return from_numbers<int32_t>(type, proto.int32_data(), "values in int32_data");
    default: break;
  }
  if (info(type.dtype).bits == 16) return from_numbers<uint16_t>(type, proto.int32_data(), "values in int32_data");
  return from_numbers<uint8_t>(type, proto.int32_data(), "values in int32_data");
}

Tensor from_strings(const onnx::TensorProto& proto, const TensorType& type) {
  const Dims dims = type.shape.numbers();
  need_have("strings", element_count(dims), proto.string_data_size(), type);
  return Tensor::strings(dims, {proto.string_data().begin(), proto.string_data().end()});
}

// A bool that is neither 0 nor 1 must not be read as one.
Tensor with_valid_booleans(Tensor tensor) {
  if (tensor.dtype() != DType::boolean || tensor.elements() == 0) return tensor;
  Tensor valid = tensor.clone();
  std::byte* bytes = valid.raw();
  for (int64_t i = 0; i < valid.elements(); ++i) bytes[i] = bytes[i] == std::byte{0} ? std::byte{0} : std::byte{1};
  return valid;
}

// The tensor over raw bytes that `owner` keeps, copied only when their address does not suit the type.
Tensor from_raw(const TensorType& type, std::shared_ptr<const std::string> owner) {
  need_have("bytes of raw data", type.bytes(), static_cast<int64_t>(owner->size()), type);
  const auto alignment = static_cast<uintptr_t>(std::clamp(info(type.dtype).bits / 8, 1, 16));
  if (owner->size() > kSmallBytes && reinterpret_cast<uintptr_t>(owner->data()) % alignment == 0) return Tensor::view(type, owner->data(), owner);
  Tensor copy(type);
  if (!owner->empty()) std::memcpy(copy.raw(), owner->data(), owner->size());
  return copy;
}

void check_fields(const onnx::TensorProto& proto, const TensorType& type) {
  const bool numbers = proto.has_raw_data() || proto.float_data_size() > 0 || proto.int32_data_size() > 0 || proto.int64_data_size() > 0 ||
                       proto.double_data_size() > 0 || proto.uint64_data_size() > 0;
  require(type.dtype != DType::string || !numbers, ErrorKind::model, "strings must be stored in string_data");
}

}  // namespace

Tensor tensor_from_proto(const onnx::TensorProto& proto, ExternalFiles* files) {
  ErrorScope scope("tensor '" + proto.name() + "'");
  const TensorType type = type_of(proto);
  if (is_external(proto)) {
    require(files != nullptr, ErrorKind::model, "external data is not allowed here");
    return files->load(type, place_of(proto));
  }
  check_fields(proto, type);
  if (type.dtype == DType::string) return from_strings(proto, type);
  if (proto.has_raw_data()) return with_valid_booleans(from_raw(type, std::make_shared<const std::string>(proto.raw_data())));
  return with_valid_booleans(from_typed_fields(proto, type));
}

void Weights::take_tensor(onnx::TensorProto& proto) {
  if (!is_external(proto) && proto.ByteSizeLong() <= kSmallBytes) return;
  if (!is_external(proto) && proto.has_raw_data()) {
    ErrorScope scope("tensor '" + proto.name() + "'");
    const TensorType type = type_of(proto);
    check_fields(proto, type);
    const std::shared_ptr<const std::string> bytes(proto.release_raw_data());
    put(proto, std::make_shared<const Tensor>(with_valid_booleans(from_raw(type, bytes))));
  } else {
    put(proto, std::make_shared<const Tensor>(tensor_from_proto(proto, &files_)));
  }
  onnx::TensorProto rest;
  rest.set_name(proto.name());
  rest.set_data_type(proto.data_type());
  rest.add_dims(0);
  proto = std::move(rest);
}

void Weights::take_nodes(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
  for (auto& node : nodes) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) take_tensor(*attribute.mutable_t());
      if (attribute.has_g()) take_graph(*attribute.mutable_g());
      for (auto& graph : *attribute.mutable_graphs()) take_graph(graph);
    }
  }
}

void Weights::take_graph(onnx::GraphProto& graph) {
  for (auto& initializer : *graph.mutable_initializer()) take_tensor(initializer);
  take_nodes(*graph.mutable_node());
}

void Weights::take(onnx::ModelProto& model) {
  take_graph(*model.mutable_graph());
  for (auto& function : *model.mutable_functions()) take_nodes(*function.mutable_node());
}

ConstTensor Weights::taken(const onnx::TensorProto& proto) const {
  const auto found = taken_.find(&proto);
  return found == taken_.end() ? nullptr : found->second;
}

ConstTensor Weights::of(const onnx::TensorProto& proto) {
  if (ConstTensor tensor = taken(proto)) return tensor;
  return std::make_shared<const Tensor>(tensor_from_proto(proto, &files_));
}

ConstTensor Weights::of(const onnx::SparseTensorProto& proto) {
  ErrorScope scope("sparse tensor '" + proto.values().name() + "'");
  const Tensor values = tensor_from_proto(proto.values(), &files_), indices = tensor_from_proto(proto.indices(), &files_);
  const Dims dims(proto.dims().begin(), proto.dims().end());
  const int64_t elements = element_count(dims);
  require(elements <= kMaxElements && storage_bytes(values.dtype(), elements) <= kMaxDenseBytes, ErrorKind::model,
          "is too large to write out: ", elements, " elements");
  require(values.rank() == 1 && info(values.dtype()).bits >= 8 && indices.dtype() == DType::i64, ErrorKind::model,
          "its values or indices have the wrong type");
  const auto rank = static_cast<int64_t>(dims.size()), count = values.elements();
  const bool linear = indices.rank() == 1;
  require(indices.elements() == (linear ? count : count * rank), ErrorKind::model, "has ", count, " values and ", indices.elements(), " indices");
  Tensor dense(values.dtype(), dims);
  const auto strides = row_major_strides(dims);
  const auto size = static_cast<size_t>(info(values.dtype()).bits / 8);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = 0;
    for (int64_t axis = 0; axis < (linear ? 1 : rank); ++axis) {
      const int64_t index = indices.int_at(linear ? i : i * rank + axis), extent = linear ? elements : dims[static_cast<size_t>(axis)];
      require(index >= 0 && index < extent, ErrorKind::model, "index ", index, " is outside [0, ", extent, ")");
      at += linear ? index : index * strides[static_cast<size_t>(axis)];
    }
    std::memcpy(dense.raw() + static_cast<size_t>(at) * size, values.raw() + static_cast<size_t>(i) * size, size);
  }
  return std::make_shared<const Tensor>(std::move(dense));
}

}  // namespace onecard
