#include "lib/bundle/encodings.h"

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "lib/base/error.h"

namespace onecard {

using format::Encoding;

namespace {

constexpr int kLevel = 1;                             // weights are nearly incompressible: higher levels cost time and gain nothing

Bytes split_planes(std::span<const std::byte> in, size_t width) {
  Bytes out(in.size());
  const size_t n = in.size() / width;
  if (width == 4) {                                   // one pass over the elements instead of four
    for (size_t i = 0; i < n; ++i)
      for (size_t p = 0; p < 4; ++p) out[p * n + i] = in[4 * i + p];
    return out;
  }
  for (size_t p = 0; p < width; ++p)
    for (size_t i = 0; i < n; ++i) out[p * n + i] = in[i * width + p];
  return out;
}
void join_planes(std::span<const std::byte> planes, std::span<std::byte> out, size_t width) {
  const size_t n = out.size() / width;
  if (width == 4) {
    const auto* p = planes.data();
    for (size_t i = 0; i < n; ++i) {
      const uint32_t v = std::to_integer<uint32_t>(p[i]) | std::to_integer<uint32_t>(p[n + i]) << 8 | std::to_integer<uint32_t>(p[2 * n + i]) << 16 | std::to_integer<uint32_t>(p[3 * n + i]) << 24;
      std::memcpy(out.data() + 4 * i, &v, 4);
    }
    return;
  }
  for (size_t p = 0; p < width; ++p)
    for (size_t i = 0; i < n; ++i) out[i * width + p] = planes[p * n + i];
}

bool is_zero(const std::byte* element, size_t width) {
  return std::all_of(element, element + width, [](std::byte b) { return b == std::byte{0}; });
}

struct Sparse {
  Bytes bitmap, values;
};
Sparse split_sparse(std::span<const std::byte> in, size_t width) {
  const size_t n = in.size() / width;
  Sparse s{Bytes((n + 7) / 8), {}};
  for (size_t i = 0; i < n; ++i) {
    const std::byte* e = in.data() + i * width;
    if (is_zero(e, width)) continue;
    s.bitmap[i / 8] |= std::byte(1u << (i % 8));
    s.values.insert(s.values.end(), e, e + width);
  }
  return s;
}

void join_sparse(std::span<const std::byte> bitmap, std::span<const std::byte> values, std::span<std::byte> out, size_t width) {
  const size_t n = out.size() / width;
  const std::byte* next = values.data();
  for (size_t i = 0; i < n; ++i) {
    std::byte* e = out.data() + i * width;
    if ((std::to_integer<unsigned>(bitmap[i / 8]) >> (i % 8)) & 1u) {
      std::memcpy(e, next, width);
      next += width;
    } else {
      std::memset(e, 0, width);
    }
  }
}

Bytes join(const Bytes& a, const Bytes& b) {
  Bytes out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

}  // namespace

const char* encoding_name(Encoding e) {
  static constexpr const char* kNames[] = {"raw", "zstd", "planes+zstd", "bitmap", "bitmap+zstd", "bitmap+planes+zstd"};
  return kNames[static_cast<size_t>(e)];
}

Bytes zstd_compress(std::span<const std::byte> bytes) {
  Bytes out(ZSTD_compressBound(bytes.size()));
  const size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  require(!ZSTD_isError(size), ErrorKind::internal, "zstd: ", ZSTD_getErrorName(size));
  out.resize(size);
  out.shrink_to_fit();
  return out;
}

void zstd_decompress(std::span<const std::byte> stored, std::span<std::byte> out) {
  const size_t size = ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size());
  require(!ZSTD_isError(size) && size == out.size(), ErrorKind::io, "a compressed piece is damaged: ", ZSTD_isError(size) ? ZSTD_getErrorName(size) : "its length is wrong");
}

// A block of at most 128 KiB takes three bytes or more (RFC 8878, 3.1.1.2).
bool may_hold(uint64_t stored, uint64_t decoded) { return decoded >> 17 <= stored / 3; }

Bytes encode_chunk(Encoding encoding, std::span<const std::byte> chunk, size_t width) {
  switch (encoding) {
    case Encoding::raw: return Bytes(chunk.begin(), chunk.end());
    case Encoding::zstd: return zstd_compress(chunk);
    case Encoding::planes: return width > 1 ? zstd_compress(split_planes(chunk, width)) : Bytes();
    default: break;
  }
  const Sparse s = split_sparse(chunk, width);
  if (encoding == Encoding::bitmap) return join(s.bitmap, s.values);
  if (encoding == Encoding::bitmap_zstd) return join(s.bitmap, zstd_compress(s.values));
  return width > 1 ? join(s.bitmap, zstd_compress(split_planes(s.values, width))) : Bytes();
}

void decode_chunk(Encoding encoding, std::span<const std::byte> stored, std::span<std::byte> out, size_t width) {
  const auto damaged = [] { fail(ErrorKind::io, "a stored piece of a weight is damaged"); };
  if (width == 0 || out.size() % width != 0) damaged();
  switch (encoding) {
    case Encoding::raw:
      if (stored.size() != out.size()) damaged();
      if (!out.empty()) std::memcpy(out.data(), stored.data(), out.size());
      return;
    case Encoding::zstd: return zstd_decompress(stored, out);
    case Encoding::planes: {
      Bytes planes(out.size());
      zstd_decompress(stored, planes);
      return join_planes(planes, out, width);
    }
    default: break;
  }
  const size_t n = out.size() / width, bitmap_bytes = (n + 7) / 8;
  if (stored.size() < bitmap_bytes) damaged();
  const auto bitmap = stored.first(bitmap_bytes), rest = stored.subspan(bitmap_bytes);
  size_t set = 0;
  for (const std::byte b : bitmap) set += static_cast<size_t>(std::popcount(std::to_integer<unsigned>(b)));
  if (n % 8 && (std::to_integer<unsigned>(bitmap.back()) >> (n % 8)) != 0) damaged();
  if (encoding == Encoding::bitmap) {
    if (rest.size() != set * width) damaged();
    return join_sparse(bitmap, rest, out, width);
  }
  Bytes values(set * width);
  zstd_decompress(rest, values);
  if (encoding == Encoding::bitmap_planes) {
    const Bytes planes = std::move(values);
    values.resize(planes.size());
    join_planes(planes, values, width);
  }
  join_sparse(bitmap, values, out, width);
}

uint64_t checksum(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Checksum::Checksum() : state_(XXH3_createState()) {
  require(state_ != nullptr, ErrorKind::does_not_fit, "out of memory");
  XXH3_64bits_reset(static_cast<XXH3_state_t*>(state_));
}
Checksum::~Checksum() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }
void Checksum::add(std::span<const std::byte> bytes) { XXH3_64bits_update(static_cast<XXH3_state_t*>(state_), bytes.data(), bytes.size()); }
uint64_t Checksum::value() const { return XXH3_64bits_digest(static_cast<const XXH3_state_t*>(state_)); }

}  // namespace onecard
