#include <algorithm>
#include <map>

#include "lib/base/parallel.h"
#include "lib/bundle/bundle.h"
#include "lib/bundle/bytes.h"
#include "lib/ir/text.h"

namespace onecard {

using format::Encoding;

namespace {

constexpr uint64_t align_section(uint64_t n) { return (n + format::kSectionAlignment - 1) / format::kSectionAlignment * format::kSectionAlignment; }

// The bytes of a constant as the file sees them.
Bytes string_bytes(const Tensor& t) {
  ByteWriter w;
  for (const auto& s : t.text()) w.string(s);
  return std::move(w.bytes);
}

struct Encoded {
  Encoding encoding = Encoding::raw;
  std::vector<Bytes> chunks;
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& c : chunks) sum += c.size();
    return sum;
  }
};

double zero_share(std::span<const std::byte> bytes, size_t width) {
  const size_t n = bytes.size() / width, step = std::max<size_t>(1, n / 65536);
  size_t zeros = 0, seen = 0;
  for (size_t i = 0; i < n; i += step, ++seen)
    zeros += std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(i * width), bytes.begin() + static_cast<std::ptrdiff_t>((i + 1) * width), [](std::byte b) { return b == std::byte{0}; });
  return seen ? static_cast<double>(zeros) / static_cast<double>(seen) : 0;
}

// A tensor of a constant's bytes in the encoding that makes it smallest; ties go to the simplest.
Encoded encode(std::span<const std::byte> bytes, size_t width, bool may_compress) {
  const size_t chunks = (bytes.size() + format::kChunkBytes - 1) / format::kChunkBytes;
  std::vector<Encoding> candidates{Encoding::raw};
  if (may_compress) candidates.push_back(Encoding::zstd);
  if (may_compress && width > 1) candidates.push_back(Encoding::planes);
  // A bitmap costs a bit an element: it cannot pay where next to nothing is zero.
  if (may_compress && zero_share(bytes, width) > 0.05) {
    candidates.insert(candidates.end(), {Encoding::bitmap, Encoding::bitmap_zstd});
    if (width > 1) candidates.push_back(Encoding::bitmap_planes);
  }
  std::vector<std::vector<Bytes>> tried(candidates.size(), std::vector<Bytes>(chunks));
  parallel_for(static_cast<int64_t>(chunks * candidates.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto chunk = static_cast<size_t>(i) / candidates.size(), c = static_cast<size_t>(i) % candidates.size();
      if (candidates[c] == Encoding::raw) continue;   // its size is known
      const auto piece = bytes.subspan(chunk * format::kChunkBytes, std::min<size_t>(format::kChunkBytes, bytes.size() - chunk * format::kChunkBytes));
      tried[c][chunk] = encode_chunk(candidates[c], piece, width);
    }
  });
  size_t best = 0;
  uint64_t best_bytes = bytes.size();
  for (size_t c = 1; c < candidates.size(); ++c) {
    uint64_t sum = 0;
    for (const auto& b : tried[c]) sum += b.size();
    if (sum < best_bytes) best = c, best_bytes = sum;
  }
  Encoded out{candidates[best], std::move(tried[best])};
  if (best == 0)
    for (size_t k = 0; k < chunks; ++k) {
      const auto piece = bytes.subspan(k * format::kChunkBytes, std::min<size_t>(format::kChunkBytes, bytes.size() - k * format::kChunkBytes));
      out.chunks[k].assign(piece.begin(), piece.end());
    }
  return out;
}

// Numbers constants in the order the text names them; the same tensor once.
class Numbering {
 public:
  int64_t operator()(const ConstTensor& t) {
    const auto [it, fresh] = number_.emplace(t.get(), static_cast<int64_t>(order.size()));
    if (fresh) order.push_back(t);
    return it->second;
  }
  std::vector<ConstTensor> order;

 private:
  std::map<const Tensor*, int64_t> number_;
};

void write_record(ByteWriter& index, const Tensor& t, const Encoded& e, uint64_t offset) {
  index.number(static_cast<uint8_t>(t.dtype()));
  index.number(static_cast<uint8_t>(e.encoding));
  index.number(static_cast<uint8_t>(t.rank()));
  index.number(uint8_t{0});
  index.number(static_cast<uint32_t>(e.chunks.size()));
  for (const int64_t d : t.dims()) index.number(static_cast<uint64_t>(d));
  index.number(offset);
  for (const auto& c : e.chunks) index.number(static_cast<uint32_t>(c.size()));
}

// Writes zeros up to the next section.
void pad(AtomicFile& file) {
  static constexpr std::byte kZeros[format::kSectionAlignment]{};
  const uint64_t gap = align_section(file.written()) - file.written();
  file.write(std::span(kZeros).first(gap));
}

}  // namespace

BundleSizes write_bundle(const Path& path, const Graph& graph, const std::string& manifest, const std::optional<SelfCheck>& self_check) {
  BundleSizes sizes;
  Numbering numbering;
  const std::string text = to_text(graph, ConstantText::reference, [&](const ConstTensor& t) { return numbering(t); });
  ByteWriter graph_section;
  graph_section.number(static_cast<uint64_t>(text.size()));
  graph_section.raw(zstd_compress(std::as_bytes(std::span(text))));
  const Bytes check_section = self_check ? write_self_check(*self_check) : Bytes();

  // The index stands before the weights but is known after them: its size is, so its place is kept free.
  uint64_t index_bytes = 0;
  for (const auto& t : numbering.order) {
    const uint64_t bytes = t->dtype() == DType::string ? string_bytes(*t).size() : static_cast<uint64_t>(t->bytes());
    index_bytes += 8 + 8 * static_cast<uint64_t>(t->rank()) + 8 + 4 * ((bytes + format::kChunkBytes - 1) / format::kChunkBytes);
  }
  struct Placed {
    uint64_t offset, bytes, checksum;
  };
  std::array<Placed, format::kSectionCount> table{};
  AtomicFile file(path);
  const Bytes head(format::kHeaderBytes + format::kSectionCount * format::kSectionBytes);
  file.write(head);
  const auto put = [&](format::SectionKind kind, std::span<const std::byte> bytes) {
    pad(file);
    table[static_cast<size_t>(kind)] = {file.written(), bytes.size(), checksum(bytes)};
    file.write(bytes);
  };
  put(format::SectionKind::manifest, std::as_bytes(std::span(manifest)));
  put(format::SectionKind::graph, graph_section.bytes);
  put(format::SectionKind::index, Bytes(index_bytes));
  put(format::SectionKind::self_check, check_section);
  pad(file);

  ByteWriter index;
  Checksum sum;
  const uint64_t start = file.written();
  const auto write = [&](std::span<const std::byte> b) {
    file.write(b);
    sum.add(b);
  };
  static constexpr std::byte kZeros[format::kSectionAlignment]{};
  for (const auto& constant : numbering.order) {
    const ConstTensor t = materialize(constant);
    const bool strings = t->dtype() == DType::string;
    const Bytes text_bytes = strings ? string_bytes(*t) : Bytes();
    const auto bytes = strings ? std::span<const std::byte>(text_bytes) : std::span(t->raw(), static_cast<size_t>(t->bytes()));
    const Encoded e = encode(bytes, static_cast<size_t>(std::max(1, info(t->dtype()).bits / 8)), !strings);
    write(std::span(kZeros).first(align_section(file.written() - start) - (file.written() - start)));
    write_record(index, *t, e, file.written() - start);
    for (const auto& c : e.chunks) write(c);
    sizes.weight_bytes += static_cast<int64_t>(bytes.size());
    sizes.weight_bytes_stored += static_cast<int64_t>(e.bytes());
  }
  require(index.bytes.size() == index_bytes, ErrorKind::internal, "the bundle's index is ", index.bytes.size(), " bytes, not ", index_bytes);
  table[static_cast<size_t>(format::SectionKind::weights)] = {start, file.written() - start, sum.value()};
  auto& index_row = table[static_cast<size_t>(format::SectionKind::index)];
  index_row.checksum = checksum(index.bytes);
  file.write_at(index_row.offset, index.bytes);

  ByteWriter rows, header;
  for (uint32_t k = 0; k < format::kSectionCount; ++k) {
    rows.number(k);
    rows.number(uint32_t{0});
    rows.number(table[k].offset);
    rows.number(table[k].bytes);
    rows.number(table[k].checksum);
  }
  header.raw(std::as_bytes(std::span(format::kMagic)));
  header.number(format::kVersion);
  header.number(format::kSectionCount);
  header.number(file.written());
  header.number(checksum(rows.bytes));
  header.number(checksum(header.bytes));
  file.write_at(0, header.bytes);
  file.write_at(format::kHeaderBytes, rows.bytes);
  sizes.file_bytes = static_cast<int64_t>(file.written());
  file.commit();
  return sizes;
}

}  // namespace onecard
