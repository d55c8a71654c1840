#include "lib/onnx/external_data.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace onecard {

namespace {

constexpr int64_t kCopyBytes = int64_t{64} << 10;  // misaligned tensors up to this size are copied at once

constexpr std::string_view kLfsPointer = "version https://git-lfs";

// Bytes of a mapped file that cannot be used in place: their address does not suit their type, or they are booleans, of which C++ knows two alone.
class CopiedBytes : public TensorSource {
 public:
  CopiedBytes(DType dtype, std::shared_ptr<const MappedFile> file, std::span<const std::byte> bytes)
      : dtype_(dtype), file_(std::move(file)), bytes_(bytes) {}
  void load(std::span<std::byte> into) const override {
    require(into.size() == bytes_.size(), ErrorKind::internal, "external data: ", into.size(), " bytes asked for, have ", bytes_.size());
    std::memcpy(into.data(), bytes_.data(), into.size());
    if (dtype_ == DType::boolean) std::ranges::transform(into, into.begin(), [](std::byte b) { return b == std::byte{0} ? b : std::byte{1}; });
    file_->release(bytes_);
  }
  std::string text() const override { return "mapped"; }

 private:
  DType dtype_;
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
  const auto holds = [&](const Path& root) { return contains(root, path); };
  require(std::any_of(roots_.begin(), roots_.end(), holds), ErrorKind::model, "external data '", location, "' leads out of the model's folder, to '",
          path.string(), "'; if it belongs to the model, allow its folder: --allow-external-root ", path.parent_path().string());
  const auto status = std::filesystem::status(path, error);
  require(std::filesystem::exists(status), ErrorKind::io, "external data '", location, "' is not there (looked for '", path.string(),
          "'): the model's data file was not copied along, or was renamed");
  require(std::filesystem::is_regular_file(status), ErrorKind::io, "external data '", location, "' is not a regular file");
  const auto names = std::filesystem::hard_link_count(path, error);
  require(error || names <= 1 || std::any_of(roots_.begin() + 1, roots_.end(), holds), ErrorKind::model, "external data '", location,
          "' is a file with ", names,
          " names (hard links) and may belong to another folder; if it belongs to the model, allow its folder: --allow-external-root ",
          path.parent_path().string());
  return path;
}

std::shared_ptr<const MappedFile> ExternalFiles::open(const std::string& location) {
  auto& known = by_location_[location];
  if (known) return known;
  const Path path = resolve(location);
  auto& file = open_[path];
  if (!file) file = MappedFile::open(path);
  const auto start = file->bytes().first(std::min(file->bytes().size(), kLfsPointer.size()));
  const bool pointer = std::ranges::equal(start, std::as_bytes(std::span(kLfsPointer)));
  require(!pointer, ErrorKind::model, "external data '", location, "' is a git-LFS pointer: the data itself was not downloaded; run `git lfs pull`");
  return known = file;
}

std::vector<std::shared_ptr<const MappedFile>> ExternalFiles::opened() const {
  std::vector<std::shared_ptr<const MappedFile>> files;
  for (const auto& [path, file] : open_)
    if (file) files.push_back(file);
  return files;
}

Tensor ExternalFiles::load(const TensorType& type, const ExternalPlace& place) {
  require(type.dtype != DType::string, ErrorKind::model, "external data: strings cannot be stored outside the model");
  const auto need = static_cast<uint64_t>(type.bytes());
  const uint64_t offset = place.offset ? parse_bytes(*place.offset, "offset") : 0;
  const uint64_t length = place.length ? parse_bytes(*place.length, "length") : need;
  require(length == need, ErrorKind::model, "external data '", place.location, "': ", type, " needs ", need, " bytes, its length says ", length);
  const auto file = open(place.location);
  const uint64_t have = file->bytes().size();
  require(offset <= have && need <= have - offset, ErrorKind::model, "external data '", place.location, "': ", type, " needs ", need,
          " bytes at offset ", offset, ", the file has ", have, ": a truncated copy, or another model's data?");
  const auto bytes = file->bytes().subspan(offset, need);
  const auto alignment = static_cast<uintptr_t>(std::clamp(info(type.dtype).bits / 8, 1, 8));
  const bool in_place = type.dtype != DType::boolean && reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0;
  if (in_place) return Tensor::view(type, bytes.data(), file);
  const CopiedBytes copied(type.dtype, file, bytes);
  if (type.bytes() > kCopyBytes) return Tensor::deferred(type, std::make_shared<CopiedBytes>(copied));
  Tensor copy(type);
  if (need > 0) copied.load({copy.raw(), need});
  return copy;
}

}  // namespace onecard
