#include "lib/runtime/data/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace onecard {

namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kMaxEmptyStrings = 1 << 20;           // of an array whose strings take no bytes

struct Header {
  std::string descr;
  bool fortran = false;
  Dims dims;
  size_t data_at = 0;
};

// The value of a key in the header's dictionary literal.
std::string_view header_field(std::string_view text, std::string_view key) {
  const auto at = text.find("'" + std::string(key) + "'");
  require(at != std::string_view::npos, ErrorKind::io, "an .npy header without '", key, "'");
  const auto colon = text.find(':', at);
  require(colon != std::string_view::npos, ErrorKind::io, "a damaged .npy header");
  auto rest = text.substr(colon + 1);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return rest;
}

Header read_header(std::span<const std::byte> file) {
  require(file.size() >= 10 && std::memcmp(file.data(), kMagic.data(), 6) == 0, ErrorKind::io, "not an .npy file");
  const auto byte = [&](size_t i) { return std::to_integer<size_t>(file[i]); };
  const bool wide = byte(6) >= 2;
  require(!wide || file.size() >= 12, ErrorKind::io, "an .npy file cut short");
  const size_t length = byte(8) | byte(9) << 8 | (wide ? byte(10) << 16 | byte(11) << 24 : 0), start = wide ? 12 : 10;
  require(length <= file.size() - start, ErrorKind::io, "an .npy file cut short");
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + start, length);
  Header h;
  h.data_at = start + length;
  const auto descr = header_field(text, "descr");
  require(!descr.empty() && descr[0] == '\'', ErrorKind::io, "structured .npy arrays are not supported");
  h.descr = std::string(descr.substr(1, descr.find('\'', 1) - 1));
  require(h.descr.size() >= 2, ErrorKind::io, "a damaged .npy header");
  require(h.descr[0] != '>', ErrorKind::io, "an .npy array in big-endian order; save it with numpy.ascontiguousarray(a, a.dtype.newbyteorder('<'))");
  h.fortran = header_field(text, "fortran_order").starts_with("True");
  auto shape = header_field(text, "shape");
  shape = shape.substr(0, shape.find(')'));
  for (size_t i = 0; i < shape.size();) {
    if (!std::isdigit(static_cast<unsigned char>(shape[i]))) { ++i; continue; }
    int64_t d = 0;
    const auto [end, code] = std::from_chars(shape.data() + i, shape.data() + shape.size(), d);
    require(code == std::errc(), ErrorKind::io, "an .npy header with an impossible extent");
    h.dims.push_back(d);
    i = static_cast<size_t>(end - shape.data());
  }
  return h;
}

struct Row {
  std::string_view descr;
  DType dtype;
};
constexpr Row kRows[] = {{"<f4", DType::f32}, {"<f8", DType::f64}, {"<f2", DType::f16}, {"|i1", DType::i8}, {"|u1", DType::u8}, {"<i2", DType::i16}, {"<u2", DType::u16},
    {"<i4", DType::i32}, {"<u4", DType::u32}, {"<i8", DType::i64}, {"<u8", DType::u64}, {"|b1", DType::boolean}, {"<c8", DType::c64}, {"<c16", DType::c128}};

// Code point to UTF-8.
void append_utf8(std::string& s, uint32_t c) {
  if (c < 0x80) s += static_cast<char>(c);
  else if (c < 0x800) (s += static_cast<char>(0xc0 | c >> 6)) += static_cast<char>(0x80 | (c & 63));
  else if (c < 0x10000) ((s += static_cast<char>(0xe0 | c >> 12)) += static_cast<char>(0x80 | (c >> 6 & 63))) += static_cast<char>(0x80 | (c & 63));
  else (((s += static_cast<char>(0xf0 | (c >> 18 & 7))) += static_cast<char>(0x80 | (c >> 12 & 63))) += static_cast<char>(0x80 | (c >> 6 & 63))) += static_cast<char>(0x80 | (c & 63));
}
std::vector<uint32_t> code_points(const std::string& s) {
  std::vector<uint32_t> out;
  for (size_t i = 0; i < s.size();) {
    const auto c = static_cast<unsigned char>(s[i]);
    const size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = length == 1 ? c : c & (0xffu >> (length + 1));
    for (size_t k = 1; k < length && i + k < s.size(); ++k) v = v << 6 | (static_cast<unsigned char>(s[i + k]) & 63u);
    out.push_back(v);
    i += length;
  }
  return out;
}

Tensor read_strings(const Header& h, std::span<const std::byte> data) {
  const size_t width = static_cast<size_t>(std::strtoul(h.descr.c_str() + 2, nullptr, 10)), unit = h.descr[1] == 'U' ? 4 : 1;
  const auto n = static_cast<size_t>(element_count(h.dims));
  require(width < (1u << 20) && n <= (width == 0 ? kMaxEmptyStrings : data.size() / (width * unit)), ErrorKind::io, "an .npy file cut short");
  std::vector<std::string> out(n);
  for (size_t i = 0; i < n; ++i)
    for (size_t k = 0; k < width; ++k) {
      uint32_t c = 0;
      std::memcpy(&c, data.data() + (i * width + k) * unit, unit);
      if (c) append_utf8(out[i], c);
    }
  return Tensor::strings(h.dims, std::move(out));
}

DType stored_as(DType t) {
  for (const auto& row : kRows)
    if (row.dtype == t) return t;
  return info(t).bits == 16 ? DType::u16 : DType::u8;
}

}  // namespace

Tensor read_npy(std::span<const std::byte> file) {
  const Header h = read_header(file);
  const auto data = file.subspan(h.data_at);
  require(!h.fortran || h.dims.size() < 2, ErrorKind::io, "an .npy array in Fortran order; save it with numpy.ascontiguousarray");
  if (h.descr.size() > 2 && (h.descr[1] == 'U' || h.descr[1] == 'S')) return read_strings(h, data);
  for (const auto& row : kRows) {
    if (h.descr.substr(1) != row.descr.substr(1)) continue;
    const int64_t bytes = storage_bytes(row.dtype, element_count(h.dims));
    require(static_cast<uint64_t>(bytes) <= data.size(), ErrorKind::io, "an .npy file cut short: needs ", bytes, " bytes of data, has ", data.size());
    Tensor t(row.dtype, h.dims);
    if (bytes > 0) std::memcpy(t.raw(), data.data(), static_cast<size_t>(bytes));
    normalize_booleans(t);
    return t;
  }
  fail(ErrorKind::io, "an .npy array of type '", h.descr, "' is not supported");
}

std::vector<std::byte> write_npy(const Tensor& t) {
  std::string descr, payload;
  if (t.dtype() == DType::string) {
    size_t width = 1;
    std::vector<std::vector<uint32_t>> rows;
    for (const auto& s : t.text()) {
      rows.push_back(code_points(s));
      width = std::max(width, rows.back().size());
    }
    descr = "<U" + std::to_string(width);
    for (auto& row : rows) {
      row.resize(width);
      payload.append(reinterpret_cast<const char*>(row.data()), 4 * width);
    }
  } else {
    const DType stored = stored_as(t.dtype());
    for (const auto& row : kRows)
      if (row.dtype == stored) descr = row.descr;
    if (info(t.dtype()).bits < 8)
      for (int64_t i = 0; i < t.elements(); ++i) payload += static_cast<char>(t.int_at(i));
    else payload.assign(reinterpret_cast<const char*>(t.raw()), static_cast<size_t>(t.bytes()));
  }
  std::string shape;
  for (const int64_t d : t.dims()) shape += std::to_string(d) + ",";
  if (t.rank() > 1) shape.pop_back();
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string file(kMagic);
  file += '\x01';
  file += '\x00';
  file += static_cast<char>(header.size() & 255);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  const auto head = std::as_bytes(std::span(file)), body = std::as_bytes(std::span(payload));
  std::vector<std::byte> out(head.begin(), head.end());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

}  // namespace onecard
