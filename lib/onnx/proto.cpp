#include "lib/onnx/proto.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

namespace onecard {

namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr uint64_t kMaxProtobufBytes = std::numeric_limits<int32_t>::max();
constexpr size_t kSniffBytes = 512;

// A file as protobuf wants to read it.
class FileStream : public google::protobuf::io::ZeroCopyInputStream {
 public:
  explicit FileStream(std::shared_ptr<const InputFile> file) : file_(std::move(file)), piece_(std::min<size_t>(kPieceBytes, file_->size())) {}
  bool Next(const void** data, int* size) override {
    const uint64_t left = file_->size() - read_;
    if (left == 0 && spare_ == 0) return false;
    if (spare_ == 0) {
      filled_ = static_cast<size_t>(std::min<uint64_t>(left, piece_.size()));
      file_->read(read_, std::span(piece_).first(filled_));
      read_ += filled_;
      spare_ = filled_;
    }
    *data = piece_.data() + (filled_ - spare_);
    *size = static_cast<int>(spare_);
    spare_ = 0;
    return true;
  }
  void BackUp(int count) override { spare_ = static_cast<size_t>(count); }
  bool Skip(int count) override {
    const void* data = nullptr;
    int size = 0;
    while (count > 0 && Next(&data, &size)) {
      if (size > count) BackUp(size - count);
      count -= std::min(size, count);
    }
    return count == 0;
  }
  int64_t ByteCount() const override { return static_cast<int64_t>(read_ - spare_); }

 private:
  std::shared_ptr<const InputFile> file_;
  std::vector<std::byte> piece_;
  uint64_t read_ = 0;
  size_t filled_ = 0, spare_ = 0;                     // of piece_: bytes read, and of these not yet handed out
};

// An AtomicFile as protobuf wants to write it. An error of the file waits until finish(): protobuf is not exception-safe inside Next.
class FileSink : public google::protobuf::io::ZeroCopyOutputStream {
 public:
  explicit FileSink(const Path& path) : file_(path), piece_(kPieceBytes) {}
  bool Next(void** data, int* size) override {
    flush();
    *data = piece_.data();
    *size = static_cast<int>(piece_.size());
    filled_ = piece_.size();
    return true;
  }
  void BackUp(int count) override { filled_ -= static_cast<size_t>(count); }
  int64_t ByteCount() const override { return static_cast<int64_t>(file_.written() + filled_); }
  void finish() {
    flush();
    file_.commit();
  }

 private:
  void flush() {
    file_.write(std::span<const std::byte>(piece_).first(filled_));
    filled_ = 0;
  }
  AtomicFile file_;
  std::vector<std::byte> piece_;
  size_t filled_ = 0;
};

// What a file is that is surely no protobuf message, or "".
std::string looks_like(std::string_view start) {
  constexpr std::array<std::pair<std::string_view, const char*>, 5> kKnown{{
      {"version https://git-lfs", "a git-LFS pointer: the model itself was not downloaded; run `git lfs pull`"},
      {"PK\x03\x04", "a zip archive (a PyTorch checkpoint or a packed model): export it to ONNX or unpack it"},
      {"\x1f\x8b", "a gzip file: unpack it"},
      {"\x89HDF", "an HDF5 file (Keras): export it to ONNX"},
      {"ONECARD", "a onecard bundle, whose name should end in .onecard"},
  }};
  if (start.empty()) return "an empty file";
  for (const auto& [magic, what] : kKnown)
    if (start.starts_with(magic)) return what;
  const bool text = std::all_of(start.begin(), start.end(), [](unsigned char c) { return (c >= ' ' && c < 127) || c == '\n' || c == '\r' || c == '\t'; });
  return text ? "a text file" : "";
}

}  // namespace

void parse_file(google::protobuf::Message& into, const Path& path, std::string_view what) {
  const auto file = InputFile::open(path);
  std::string start(std::min<uint64_t>(file->size(), kSniffBytes), '\0');
  file->read(0, std::as_writable_bytes(std::span(start)));
  const std::string other = looks_like(start);
  // A tiny tensor may well consist of printable bytes alone, a model never does.
  const bool surely_other = other.starts_with("a git") || other.starts_with("an empty") || file->size() > kSniffBytes / 8;
  require(other.empty() || !surely_other, ErrorKind::model, "'", path.filename().string(), "' is no ", what, ", it looks like ", other);
  require(file->size() <= kMaxProtobufBytes, ErrorKind::model, "'", path.filename().string(), "' has ", file->size(), " bytes, protobuf holds at most ", kMaxProtobufBytes,
          "; save the weights as external data");
  FileStream stream(file);
  google::protobuf::io::CodedInputStream coded(&stream);
  const bool ok = guarded([&] { return into.ParseFromCodedStream(&coded) && coded.ConsumedEntireMessage(); });
  require(ok, ErrorKind::model, "'", path.filename().string(), "' is no ", what, other.empty() ? ": protobuf cannot read it; the file may be damaged or cut short" : ", it looks like " + other);
}

void write_file(const google::protobuf::Message& message, const Path& path) {
  require(message.ByteSizeLong() <= kMaxProtobufBytes, ErrorKind::model, "'", path.filename().string(), "' would have ", message.ByteSizeLong(), " bytes, protobuf holds at most ",
          kMaxProtobufBytes);
  FileSink sink(path);
  {
    google::protobuf::io::CodedOutputStream coded(&sink);
    coded.SetSerializationDeterministic(true);
    require(message.SerializeToCodedStream(&coded), ErrorKind::internal, "protobuf cannot write '", path.filename().string(), "'");
  }
  sink.finish();
}

std::string one_line(std::string_view text) {
  text = text.substr(0, text.find("==> Context"));
  std::string line;
  for (const char c : text) {
    const bool space = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!space) line += c;
    else if (!line.empty() && line.back() != ' ') line += ' ';
  }
  constexpr size_t kMaxLength = 400;
  if (line.size() > kMaxLength) line = line.substr(0, kMaxLength) + "…";
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

Opsets opsets_of(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports) {
  Opsets opsets;
  for (const auto& import : imports) {
    int64_t& version = opsets[standard_domain(import.domain())];
    version = std::max<int64_t>(version, import.version());
  }
  return opsets;
}

namespace {

template <class TensorTypeProto>
TensorType plain_type(const TensorTypeProto& type, const DimOf& dim_of) {
  require(dtype_is_known(type.elem_type()) && type.elem_type() != 0, ErrorKind::model, "element type ", type.elem_type(), " is not known");
  TensorType result(static_cast<DType>(type.elem_type()), Shape::unranked());
  if (!type.has_shape()) return result;
  std::vector<Dim> dims;
  for (int axis = 0; axis < type.shape().dim_size(); ++axis) dims.push_back(dim_of(type.shape().dim(axis), axis));
  result.shape = Shape(std::move(dims));
  return result;
}

Dim number_or_unknown(const onnx::TensorShapeProto::Dimension& dim, int64_t) {
  return dim.has_dim_value() && dim.dim_value() >= 0 ? Dim(dim.dim_value()) : Dim::unknown();
}

TensorType sequence_type(const onnx::TypeProto& element) {
  require(element.value_case() == onnx::TypeProto::kTensorType, ErrorKind::model, "only sequences of tensors are supported");
  return plain_type(element.tensor_type(), number_or_unknown);
}

}  // namespace

TensorType type_from_proto(const onnx::TypeProto& type, const DimOf& dim_of) {
  TensorType result;
  switch (type.value_case()) {
    case onnx::TypeProto::kTensorType: return plain_type(type.tensor_type(), dim_of);
    case onnx::TypeProto::kSequenceType:
      result = sequence_type(type.sequence_type().elem_type());
      result.container = Container::sequence;
      return result;
    case onnx::TypeProto::kOptionalType: {
      const auto& element = type.optional_type().elem_type();
      const bool sequence = element.value_case() == onnx::TypeProto::kSequenceType;
      result = sequence ? sequence_type(element.sequence_type().elem_type()) : sequence_type(element);
      result.container = sequence ? Container::optional_sequence : Container::optional;
      return result;
    }
    case onnx::TypeProto::kMapType: fail(ErrorKind::model, "maps are not supported");
    case onnx::TypeProto::kSparseTensorType: fail(ErrorKind::model, "sparse tensors as inputs are not supported");
    default: fail(ErrorKind::model, "has no type");
  }
}

onnx::TypeProto type_to_proto(const TensorType& type) {
  onnx::TypeProto result;
  onnx::TypeProto* at = &result;
  if (type.container == Container::optional || type.container == Container::optional_sequence) at = at->mutable_optional_type()->mutable_elem_type();
  if (type.container == Container::sequence || type.container == Container::optional_sequence) at = at->mutable_sequence_type()->mutable_elem_type();
  auto& tensor = *at->mutable_tensor_type();
  tensor.set_elem_type(static_cast<int>(type.dtype));
  if (!type.shape.has_rank()) return result;
  auto& shape = *tensor.mutable_shape();
  for (const Dim& dim : type.shape.dims()) {
    auto& out = *shape.add_dim();
    if (dim.is_number()) out.set_dim_value(dim.number());
    else if (dim.is_symbolic()) out.set_dim_param(dim.text());
  }
  return result;
}

}  // namespace onecard
