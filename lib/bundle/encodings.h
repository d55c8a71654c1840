#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lib/bundle/format.h"

namespace onecard {

using Bytes = std::vector<std::byte>;

// One chunk of elements of `element_bytes` each, encoded; every encoding is lossless. An encoding that cannot apply gives an empty result
// for a chunk that is not empty.
Bytes encode_chunk(format::Encoding encoding, std::span<const std::byte> chunk, size_t element_bytes);
// The inverse, into exactly `out.size()` bytes. Raises io when the stored bytes are no such chunk.
void decode_chunk(format::Encoding encoding, std::span<const std::byte> stored, std::span<std::byte> out, size_t element_bytes);
const char* encoding_name(format::Encoding encoding);

Bytes zstd_compress(std::span<const std::byte> bytes);
void zstd_decompress(std::span<const std::byte> stored, std::span<std::byte> out);
// Whether one zstd frame of `stored` bytes may decode to so many: asked before that much memory is taken.
bool may_hold(uint64_t stored, uint64_t decoded);
uint64_t checksum(std::span<const std::byte> bytes);

// Checksum of bytes that come in pieces.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  void add(std::span<const std::byte> bytes);
  uint64_t value() const;

 private:
  void* state_;
};

}  // namespace onecard
