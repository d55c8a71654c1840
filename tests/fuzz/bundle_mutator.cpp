// Mutations of what a bundle holds, its checksums made right again: without that, nothing behind the first checksum would ever be read.
#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>

#include "lib/bundle/bytes.h"

using namespace onecard;

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using Sections = std::array<Bytes, format::kSectionCount>;
constexpr size_t kGraph = static_cast<size_t>(format::SectionKind::graph);
constexpr uint64_t kMostText = 1 << 16;
constexpr uint64_t kFirst = format::kHeaderBytes + format::kSectionCount * format::kSectionBytes;

// The sections, the graph as plain text. Raises io when this is no whole bundle.
Sections take_apart(std::span<const std::byte> file) {
  ByteReader r(file);
  r.take(format::kHeaderBytes);
  Sections sections;
  for (Bytes& s : sections) {
    r.take(8);
    const auto offset = r.number<uint64_t>(), bytes = r.number<uint64_t>();
    r.take(8);
    require(offset <= file.size() && bytes <= file.size() - offset, ErrorKind::io, "outside");
    s.assign(file.begin() + static_cast<std::ptrdiff_t>(offset), file.begin() + static_cast<std::ptrdiff_t>(offset + bytes));
  }
  ByteReader graph(sections[kGraph]);
  const auto length = graph.number<uint64_t>();
  require(length <= kMostText, ErrorKind::io, "long");
  Bytes text(length);
  zstd_decompress(graph.take(graph.left()), text);
  sections[kGraph] = std::move(text);
  return sections;
}

Bytes put_together(Sections sections) {
  ByteWriter graph;
  graph.number(static_cast<uint64_t>(sections[kGraph].size()));
  graph.raw(zstd_compress(sections[kGraph]));
  sections[kGraph] = std::move(graph.bytes);
  ByteWriter table;
  Bytes body;
  for (uint32_t k = 0; k < format::kSectionCount; ++k) {
    body.resize((kFirst + body.size() + format::kSectionAlignment - 1) / format::kSectionAlignment * format::kSectionAlignment - kFirst);
    table.number(k);
    table.number(uint32_t{0});
    table.number(static_cast<uint64_t>(kFirst + body.size()));
    table.number(static_cast<uint64_t>(sections[k].size()));
    table.number(checksum(sections[k]));
    body.insert(body.end(), sections[k].begin(), sections[k].end());
  }
  ByteWriter head;
  head.raw(std::as_bytes(std::span(format::kMagic)));
  head.number(format::kVersion);
  head.number(format::kSectionCount);
  head.number(static_cast<uint64_t>(kFirst + body.size()));
  head.number(checksum(table.bytes));
  head.number(checksum(head.bytes));
  head.raw(table.bytes);
  head.raw(body);
  return std::move(head.bytes);
}

// Words and numbers of the text exchanged for others of it, or for awkward ones.
void mutate_text(Bytes& bytes, std::mt19937& random) {
  constexpr std::string_view kAwkward[] = {"0",
                                           "1",
                                           "-1",
                                           "2",
                                           "9223372036854775807",
                                           "-9223372036854775808",
                                           "1099511627776",
                                           "4294967296",
                                           "?",
                                           "nan",
                                           "f32",
                                           "i64",
                                           "i8",
                                           "u8",
                                           "bool",
                                           "f16",
                                           "[]",
                                           "[0]",
                                           "[-1]",
                                           "[1, 1]",
                                           "seq",
                                           "true",
                                           "{",
                                           "}",
                                           "%",
                                           "\"",
                                           "constant",
                                           "n*m",
                                           "floordiv(n,0)"};
  std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-' || c == '%' || c == '#'; };
  const auto word = [&] {
    size_t begin = text.empty() ? 0 : random() % text.size();
    while (begin < text.size() && !is_word(text[begin])) ++begin;
    while (begin > 0 && is_word(text[begin - 1])) --begin;
    size_t end = begin;
    while (end < text.size() && is_word(text[end])) ++end;
    return std::pair(begin, end - begin);
  };
  const auto line = [&] {
    const size_t at = text.empty() ? 0 : random() % text.size(), before = text.rfind('\n', at);
    const size_t begin = before == std::string::npos ? 0 : before + 1, end = std::min(text.find('\n', begin), text.size());
    return std::pair(begin, std::min(end + 1, text.size()) - begin);
  };
  const auto [at, length] = word();
  switch (random() % 6) {
    case 0: text.replace(at, length, kAwkward[random() % std::size(kAwkward)]); break;
    case 1:
    case 2: {
      const auto [other, other_length] = word();
      text.replace(at, length, std::string(text, other, other_length));
      break;
    }
    case 3: {
      const auto [begin, size] = line();
      const std::string copy(text, begin, size);
      const auto [to, unused] = line();
      text.insert(to, copy);
      break;
    }
    case 4: {
      const auto [begin, size] = line();
      text.erase(begin, size);
      break;
    }
    default: text.insert(at, std::string(kAwkward[random() % std::size(kAwkward)]) + (random() % 2 ? ", " : " "));
  }
  text.resize(std::min<size_t>(text.size(), kMostText));
  const auto made = std::as_bytes(std::span(text));
  bytes.assign(made.begin(), made.end());
}

void mutate_bytes(Bytes& bytes, size_t more) {
  const size_t size = bytes.size();
  bytes.resize(size + more);
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), size, bytes.size()));
}

// A number of the header or table made another, both checksums right.
void mutate_header(Bytes& file, std::mt19937& random) {
  const size_t at = 8 + random() % (kFirst - 8);
  file[at] = static_cast<std::byte>(random());
  ByteWriter sums;
  sums.number(checksum(std::span(file).subspan(format::kHeaderBytes, kFirst - format::kHeaderBytes)));
  std::copy(sums.bytes.begin(), sums.bytes.end(), file.begin() + 24);
  ByteWriter head;
  head.number(checksum(std::span(file).first(32)));
  std::copy(head.bytes.begin(), head.bytes.end(), file.begin() + 32);
}

size_t put(const Bytes& file, uint8_t* into, size_t max_size) {
  if (file.size() > max_size) return 0;
  std::copy_n(reinterpret_cast<const uint8_t*>(file.data()), file.size(), into);
  return file.size();
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  std::mt19937 random(seed);
  if (seed % 64 == 0) return LLVMFuzzerMutate(data, size, max_size);
  try {
    Sections sections = take_apart(std::as_bytes(std::span(data, size)));
    for (size_t i = 0; i <= random() % 3; ++i) {
      const size_t k = random() % 8;
      if (k >= 4 || k == kGraph) mutate_text(sections[kGraph], random);
      else mutate_bytes(sections[k == 1 ? 4 : k], 16);
    }
    Bytes file = put_together(std::move(sections));
    if (random() % 16 == 0) mutate_header(file, random);
    if (const size_t made = put(file, data, max_size)) return made;
  } catch (const Error&) {}
  return LLVMFuzzerMutate(data, size, max_size);
}

// Some sections of each.
extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size, uint8_t* out, size_t max_size,
                                            unsigned seed) {
  try {
    Sections mixed = take_apart(std::as_bytes(std::span(a, a_size)));
    const Sections other = take_apart(std::as_bytes(std::span(b, b_size)));
    for (size_t k = 0; k < mixed.size(); ++k)
      if (seed >> k & 1) mixed[k] = other[k];
    return put(put_together(std::move(mixed)), out, max_size);
  } catch (const Error&) { return 0; }
}
