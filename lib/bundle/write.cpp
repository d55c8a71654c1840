#include <algorithm>
#include <map>
#include <numeric>

#include "lib/base/parallel.h"
#include "lib/bundle/bundle.h"
#include "lib/bundle/bytes.h"
#include "lib/bundle/stored_size.h"
#include "lib/bundle/write_behind.h"
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

constexpr size_t kSampledChunks = 16;           // a larger constant's encoding is chosen by so many of its pieces, spread evenly
constexpr size_t kMostKept = size_t{32} << 20;  // of a constant that is made for writing and kept until it is written
constexpr std::byte kZeros[format::kSectionAlignment]{};
constexpr size_t kBatchChunks = 32;  // encoded at once, so that of a large constant only these are in memory

// How one constant was written.
struct Encoded {
  Encoding encoding = Encoding::raw;
  std::vector<uint32_t> chunk_bytes;
  uint64_t bytes() const { return std::accumulate(chunk_bytes.begin(), chunk_bytes.end(), uint64_t{0}); }
};

// One constant's bytes, cut into pieces that are encoded apart.
struct Pieces {
  std::span<const std::byte> bytes;
  size_t width = 1;  // of an element
  size_t count() const { return (bytes.size() + format::kChunkBytes - 1) / format::kChunkBytes; }
  std::span<const std::byte> at(size_t k) const {
    return bytes.subspan(k * format::kChunkBytes, std::min<size_t>(format::kChunkBytes, bytes.size() - k * format::kChunkBytes));
  }
};

// `text`: what string_bytes makes of a tensor of strings.
Pieces pieces_of(const Tensor& t, const Bytes& text) {
  if (t.dtype() == DType::string) return {text, 1};
  return {std::span(t.raw(), static_cast<size_t>(t.bytes())), static_cast<size_t>(std::max(1, info(t.dtype()).bits / 8))};
}

// Who keeps the bytes until they are written; null: the tensor they are of.
using Owner = std::shared_ptr<const void>;
using WriteBytes = std::function<void(std::span<const std::byte>, Owner)>;

// The share of elements that are zero, looked for in some places of each of these pieces.
double zero_share(const Pieces& pieces, const std::vector<size_t>& sample) {
  size_t zeros = 0, seen = 0;
  const size_t per_chunk = std::max<size_t>(1, 65536 / std::max<size_t>(1, sample.size()));
  for (const size_t k : sample) {
    const auto bytes = pieces.at(k);
    const size_t n = bytes.size() / pieces.width, step = std::max<size_t>(1, n / per_chunk);
    for (size_t i = 0; i < n; i += step, ++seen) {
      const auto element = bytes.subspan(i * pieces.width, pieces.width);
      zeros += std::all_of(element.begin(), element.end(), [](std::byte b) { return b == std::byte{0}; });
    }
  }
  return seen ? static_cast<double>(zeros) / static_cast<double>(seen) : 0;
}

// The encodings that may pay, the simplest first.
std::vector<Encoding> candidates_for(const Pieces& pieces, const std::vector<size_t>& sample) {
  std::vector<Encoding> candidates{Encoding::raw, Encoding::zstd};
  if (pieces.width > 1) candidates.push_back(Encoding::planes);
  // A bitmap costs a bit an element: it cannot pay where next to nothing is zero.
  if (zero_share(pieces, sample) > 0.05) {
    candidates.insert(candidates.end(), {Encoding::bitmap, Encoding::bitmap_zstd});
    if (pieces.width > 1) candidates.push_back(Encoding::bitmap_planes);
  }
  return candidates;
}

// These pieces in each of these encodings, by encoding and place in `which`.
std::vector<std::vector<Bytes>> encode_all(const Pieces& pieces, const std::vector<size_t>& which, const std::vector<Encoding>& encodings) {
  std::vector<std::vector<Bytes>> made(encodings.size(), std::vector<Bytes>(which.size()));
  parallel_for(static_cast<int64_t>(which.size() * encodings.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto k = static_cast<size_t>(i) / encodings.size(), e = static_cast<size_t>(i) % encodings.size();
      if (encodings[e] != Encoding::raw) made[e][k] = encode_chunk(encodings[e], pieces.at(which[k]), pieces.width);  // raw is there already
    }
  });
  return made;
}

std::vector<size_t> chunks_from(size_t first, size_t count) {
  std::vector<size_t> chunks(count);
  std::iota(chunks.begin(), chunks.end(), first);
  return chunks;
}

std::vector<size_t> sample_of(size_t chunks) {
  if (chunks <= kSampledChunks) return chunks_from(0, chunks);
  std::vector<size_t> sample;
  for (size_t i = 0; i < kSampledChunks; ++i) sample.push_back(i * (chunks - 1) / (kSampledChunks - 1));
  return sample;
}

// Writes a constant in the encoding that makes it smallest, a large one as far as a sample of it tells; ties go to the simplest. `wrote` hears of
// bytes taken.
Encoded write_encoded(const Pieces& pieces, bool may_compress, const WriteBytes& write, const std::function<void(size_t)>& wrote) {
  const auto sample = sample_of(pieces.count());
  const std::vector<Encoding> candidates = may_compress ? candidates_for(pieces, sample) : std::vector<Encoding>{Encoding::raw};
  std::vector<std::vector<Bytes>> tried = encode_all(pieces, sample, candidates);
  size_t best = 0;
  uint64_t best_bytes = 0;
  for (const size_t k : sample) best_bytes += pieces.at(k).size();
  for (size_t c = 1; c < candidates.size(); ++c) {
    uint64_t sum = 0;
    for (const auto& b : tried[c]) sum += b.size();
    if (sum < best_bytes) best = c, best_bytes = sum;
  }
  Encoded out{candidates[best], {}};
  for (size_t first = 0; first < pieces.count(); first += kBatchChunks) {
    const auto batch = chunks_from(first, std::min(kBatchChunks, pieces.count() - first));
    const bool all_tried = sample.size() == pieces.count();
    std::vector<Bytes> made = all_tried ? std::move(tried[best]) : std::move(encode_all(pieces, batch, {out.encoding})[0]);
    size_t taken = 0;
    for (const size_t k : batch) {
      const auto piece = pieces.at(k);
      const auto encoded = out.encoding == Encoding::raw ? nullptr : std::make_shared<const Bytes>(std::move(made[k - first]));
      const auto stored = encoded ? std::span<const std::byte>(*encoded) : piece;
      out.chunk_bytes.push_back(static_cast<uint32_t>(stored.size()));
      write(stored, encoded);
      taken += piece.size();
    }
    wrote(taken);
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
  index.number(static_cast<uint32_t>(e.chunk_bytes.size()));
  for (const int64_t d : t.dims()) index.number(static_cast<uint64_t>(d));
  index.number(offset);
  for (const uint32_t c : e.chunk_bytes) index.number(c);
}

// Writes zeros up to the next section.
void pad(AtomicFile& file) {
  const uint64_t gap = align_section(file.written()) - file.written();
  file.write(std::span(kZeros).first(gap));
}

}  // namespace

BundleSizes write_bundle(const Path& path, const Graph& graph, const std::string& manifest, const std::optional<SelfCheck>& self_check,
                         const WriteProgress& progress) {
  BundleSizes sizes;
  Numbering numbering;
  const std::string text = to_text(graph, ConstantText::reference, [&](const ConstTensor& t) { return numbering(t); });
  ByteWriter graph_section;
  graph_section.number(static_cast<uint64_t>(text.size()));
  graph_section.raw(zstd_compress(std::as_bytes(std::span(text))));
  const Bytes check_section = self_check ? write_self_check(*self_check) : Bytes();

  // The index stands before the weights but is known after them: its size is, so its place is kept free.
  uint64_t index_bytes = 0, all_bytes = 0, done_bytes = 0;
  for (const auto& t : numbering.order) {
    const uint64_t bytes = t->dtype() == DType::string ? string_bytes(*t).size() : static_cast<uint64_t>(t->bytes());
    all_bytes += bytes;
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
  const uint64_t start = file.written();
  uint64_t given = 0;  // to be written behind `start`
  WriteBehind writer(file);
  for (const auto& constant : numbering.order) {
    const ConstTensor t = materialize(constant);
    const bool strings = t->dtype() == DType::string;
    const auto text_bytes = std::make_shared<const Bytes>(strings ? string_bytes(*t) : Bytes());
    const Pieces pieces = pieces_of(*t, *text_bytes);
    const auto write = [&](std::span<const std::byte> b, Owner owner) {
      given += b.size();
      writer.write(b, owner ? std::move(owner) : strings ? Owner(text_bytes) : Owner(t));
    };
    write(std::span(kZeros).first(align_section(given) - given), nullptr);
    const uint64_t offset = given;
    const Encoded e = write_encoded(pieces, !strings, write, [&](size_t taken) {
      done_bytes += taken;
      if (progress) progress(static_cast<double>(done_bytes) / static_cast<double>(all_bytes));
    });
    write_record(index, *t, e, offset);
    if (constant->is_deferred() && pieces.bytes.size() > kMostKept) writer.drain();  // two of these at once would be too much
    sizes.weight_bytes += static_cast<int64_t>(pieces.bytes.size());
    sizes.weight_bytes_stored += static_cast<int64_t>(e.bytes());
  }
  const uint64_t weights_sum = writer.finish();
  require(index.bytes.size() == index_bytes, ErrorKind::internal, "the bundle's index is ", index.bytes.size(), " bytes, not ", index_bytes);
  table[static_cast<size_t>(format::SectionKind::weights)] = {start, given, weights_sum};
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

int64_t StoredSizes::of(const ConstTensor& constant) {
  Known& known = known_[constant.get()];
  if (known.tensor.lock() == constant) return known.bytes;
  const ConstTensor t = materialize(constant);
  const bool strings = t->dtype() == DType::string;
  const Bytes text_bytes = strings ? string_bytes(*t) : Bytes();
  const Pieces pieces = pieces_of(*t, text_bytes);
  const auto nowhere = [](std::span<const std::byte>, const Owner&) {};
  known = {constant, static_cast<int64_t>(write_encoded(pieces, !strings, nowhere, [](size_t) {}).bytes())};
  return known.bytes;
}

int64_t StoredSizes::of(const Graph& graph) {
  Numbering numbering;
  to_text(graph, ConstantText::reference, [&](const ConstTensor& t) { return numbering(t); });
  int64_t bytes = 0;
  for (const ConstTensor& t : numbering.order) bytes += of(t);
  return bytes;
}

}  // namespace onecard
