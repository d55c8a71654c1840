#include "lib/onnx/external_data.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace onecard {

namespace {

constexpr int64_t kCopyBytes = int64_t{64} << 10;     // misaligned tensors up to this size are copied at once

// Bytes of a mapped file that cannot be used in place because their address does not suit their type.
class MisalignedBytes : public TensorSource {
 public:
  MisalignedBytes(std::shared_ptr<const MappedFile> file, std::span<const std::byte> bytes) : file_(std::move(file)), bytes_(bytes) {}
  void load(std::span<std::byte> into) const override {
    require(into.size() == bytes_.size(), ErrorKind::internal, "external data: ", into.size(), " bytes asked for, have ", bytes_.size());
    std::memcpy(into.data(), bytes_.data(), into.size());
    file_->release(bytes_);
  }
  std::string text() const override { return "mapped"; }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> bytes_;
};

uint64_t parse_bytes(const std::string& text, std::string_view what) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size(), ErrorKind::model, "external data: ", what, " '", text, "' is no number of bytes");
  return value;
}

bool contains(const Path& root, const Path& path) {
  const auto [at, unused] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return at == root.end() || (std::next(at) == root.end() && at->empty());
}

Path canonical_folder(const Path& folder) {
  std::error_code error;
  const Path path = std::filesystem::canonical(folder.empty() ? Path(".") : folder, error);
  require(!error, ErrorKind::io, "folder '", folder.string(), "': ", error.message());
  return path;
}

}  // namespace

ExternalFiles::ExternalFiles(const Path& model, const std::vector<Path>& allowed_roots) : folder_(model.parent_path()) {
  roots_.push_back(canonical_folder(folder_));
  for (const auto& root : allowed_roots) roots_.push_back(canonical_folder(root));
}

Path ExternalFiles::resolve(const std::string& location) const {
  const Path relative(location);
  require(!location.empty() && location.find('\0') == std::string::npos, ErrorKind::model, "external data: the location is empty or no file name");
  require(relative.is_relative(), ErrorKind::model, "external data '", location, "' is an absolute path; only files beside the model are read");
  const bool climbs = std::any_of(relative.begin(), relative.end(), [](const Path& part) { return part == ".."; });
  require(!climbs, ErrorKind::model, "external data '", location, "' leaves the model's folder");
  std::error_code error;
  const Path path = std::filesystem::weakly_canonical(roots_[0] / relative, error);
  require(!error, ErrorKind::io, "external data '", location, "': ", error.message());
  const bool inside = std::any_of(roots_.begin(), roots_.end(), [&](const Path& root) { return contains(root, path); });
  require(inside, ErrorKind::model, "external data '", location, "' leads out of the model's folder; allow its folder with --allow-external-root");
  return path;
}

std::shared_ptr<const MappedFile> ExternalFiles::open(const Path& path) {
  auto& file = open_[path];
  if (!file) file = MappedFile::open(path);
  return file;
}

int64_t ExternalFiles::opened_bytes() const {
  int64_t sum = 0;
  for (const auto& [path, file] : open_) sum += static_cast<int64_t>(file->bytes().size());
  return sum;
}

Tensor ExternalFiles::load(const TensorType& type, const ExternalPlace& place) {
  const auto need = static_cast<uint64_t>(type.bytes());
  const uint64_t offset = place.offset ? parse_bytes(*place.offset, "offset") : 0;
  const uint64_t length = place.length ? parse_bytes(*place.length, "length") : need;
  require(type.dtype != DType::string, ErrorKind::model, "external data: strings cannot be stored outside the model");
  require(length == need, ErrorKind::model, "external data '", place.location, "': ", type.text(), " needs ", need, " bytes, its length says ", length);
  const auto file = open(resolve(place.location));
  const uint64_t have = file->bytes().size();
  require(offset <= have && need <= have - offset, ErrorKind::model, "external data '", place.location, "': needs ", need, " bytes at offset ", offset, ", the file has ", have);
  const auto bytes = file->bytes().subspan(offset, need);
  const auto alignment = static_cast<uintptr_t>(std::clamp(info(type.dtype).bits / 8, 1, 8));
  if (reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0) return Tensor::view(type, bytes.data(), file);
  if (type.bytes() > kCopyBytes) return Tensor::deferred(type, std::make_shared<MisalignedBytes>(file, bytes));
  Tensor copy(type);
  if (need > 0) std::memcpy(copy.raw(), bytes.data(), need);
  return copy;
}

}  // namespace onecard
