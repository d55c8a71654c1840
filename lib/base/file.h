#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace onecard {

using Path = std::filesystem::path;

// A regular file mapped read-only. Errors: io, naming the file.
class MappedFile {
 public:
  static std::shared_ptr<const MappedFile> open(const Path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const Path& path() const { return path_; }
  // Lets the kernel forget these pages; they are read again from the file when touched.
  void release(std::span<const std::byte> part) const;

 private:
  MappedFile(Path path, const std::byte* data, size_t size) : path_(std::move(path)), data_(data), size_(size) {}
  Path path_;
  const std::byte* data_;
  size_t size_;
};

// A regular file open for reading at any place, without mapping it: what is read counts only where it is put.
class InputFile {
 public:
  static std::shared_ptr<const InputFile> open(const Path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  uint64_t size() const { return size_; }
  const Path& path() const { return path_; }
  // Fills `into` from `offset`; io error when the file ends before.
  void read(uint64_t offset, std::span<std::byte> into) const;

 private:
  InputFile(Path path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}
  Path path_;
  int fd_;
  uint64_t size_;
};

// Writes to a temporary file beside `path`, which commit() syncs and renames over it; without commit nothing remains.
class AtomicFile {
 public:
  explicit AtomicFile(Path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  uint64_t written() const { return written_; }
  // Overwrites bytes already written.
  void write_at(uint64_t offset, std::span<const std::byte> bytes);
  void commit();

 private:
  Path path_, temporary_;
  int fd_ = -1;
  uint64_t written_ = 0;
};

std::string read_text(const Path& path);
void write_text(const Path& path, std::string_view text);

// Peak resident memory of this process so far, bytes.
int64_t peak_rss_bytes();

}  // namespace onecard
