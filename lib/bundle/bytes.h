#pragma once
#include <cstring>
#include <string>
#include <type_traits>

#include "lib/base/error.h"
#include "lib/bundle/encodings.h"

namespace onecard {

// Appends little-endian numbers.
class ByteWriter {
 public:
  template <class T>
  void number(T v) {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T>);
    const auto* p = reinterpret_cast<const std::byte*>(&v);
    bytes.insert(bytes.end(), p, p + sizeof v);
  }
  void string(const std::string& s) {
    number(static_cast<uint32_t>(s.size()));
    raw(std::as_bytes(std::span(s)));
  }
  void raw(std::span<const std::byte> b) { bytes.insert(bytes.end(), b.begin(), b.end()); }
  Bytes bytes;
};

// Reads them back; every read is bounded. Raises io past the end.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}
  template <class T>
  T number() {
    T v;
    std::memcpy(&v, take(sizeof v).data(), sizeof v);
    return v;
  }
  std::string string() {
    const auto b = take(number<uint32_t>());
    return {reinterpret_cast<const char*>(b.data()), b.size()};
  }
  std::span<const std::byte> take(uint64_t n) {
    require(n <= rest_.size(), ErrorKind::io, "a record is cut short: needs ", n, " bytes, has ", rest_.size());
    const auto b = rest_.first(n);
    rest_ = rest_.subspan(n);
    return b;
  }
  size_t left() const { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace onecard
