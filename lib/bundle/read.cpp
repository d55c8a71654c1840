#include <algorithm>
#include <bit>

#include "lib/base/parallel.h"
#include "lib/bundle/bundle.h"
#include "lib/bundle/bytes.h"
#include "lib/ir/nonzeros.h"
#include "lib/ops/registry.h"

namespace onecard {

namespace {

constexpr int64_t kResidentBytes = 64 << 10;  // constants up to this size are loaded with the graph

// A constant that stays in its bundle until somebody needs it.
class BundleSource : public TensorSource, public KnowsNonzeros {
 public:
  BundleSource(std::shared_ptr<const Bundle> bundle, size_t index) : bundle_(std::move(bundle)), index_(index) {}
  void load(std::span<std::byte> into) const override { bundle_->load(index_, into); }
  std::string text() const override { return "bundle"; }
  std::optional<int64_t> nonzeros(int64_t element_bytes) const override {
    return element_bytes * 8 == info(bundle_->constants()[index_].type.dtype).bits ? bundle_->nonzeros(index_) : std::nullopt;
  }

 private:
  std::shared_ptr<const Bundle> bundle_;
  size_t index_;
};

// An operation that this program does not have: the file is whole, so somebody newer wrote it.
std::unique_ptr<Op> known_op(std::string_view name) {
  const auto names = op_names();
  require(std::ranges::find(names, name) != names.end(), ErrorKind::io, "it uses the operation '", name,
          "', which this program does not have: it was made by a newer onecard, use that one or a later one");
  return make_op(name);
}

bool aligned(uint64_t offset) { return offset % format::kSectionAlignment == 0; }

}  // namespace

int64_t StoredConstant::stored_bytes() const {
  int64_t sum = 0;
  for (const uint32_t b : chunk_bytes) sum += b;
  return sum;
}

bool looks_like_bundle(const Path& path) {
  const auto file = InputFile::open(path);
  std::array<char, format::kMagic.size()> start{};
  if (file->size() < start.size()) return false;
  file->read(0, std::as_writable_bytes(std::span(start)));
  return start == format::kMagic;
}

void Bundle::read_header(std::vector<Section>& sections) const {
  constexpr uint64_t kFirst = format::kHeaderBytes + format::kSectionCount * format::kSectionBytes;
  require(file_->size() >= format::kHeaderBytes, ErrorKind::io, "the file is too short to be a bundle: ", file_->size(), " bytes");
  Bytes head(format::kHeaderBytes);
  file_->read(0, head);
  ByteReader r(head);
  require(std::ranges::equal(r.take(8), std::as_bytes(std::span(format::kMagic))), ErrorKind::io,
          "this is not a bundle: its first bytes are not ONECARD");
  const auto version = r.number<uint32_t>();
  const auto count = r.number<uint32_t>();
  const auto length = r.number<uint64_t>(), table_sum = r.number<uint64_t>(), head_sum = r.number<uint64_t>();
  require(checksum(std::span(head).first(32)) == head_sum, ErrorKind::io, "the header is damaged");
  require(version <= format::kVersion, ErrorKind::io, "the bundle has version ", version, "; this program reads up to ", format::kVersion,
          ": use a newer onecard");
  require(version >= 1 && count == format::kSectionCount, ErrorKind::io, "the header names ", count, " sections of version ", version);
  require(length == file_->size(), ErrorKind::io, "the file should have ", length, " bytes and has ", file_->size(),
          length > file_->size() ? ": a truncated copy?" : ": something was appended to it");
  require(length >= kFirst, ErrorKind::io, "the section table is cut short");
  Bytes table(format::kSectionCount * format::kSectionBytes);
  file_->read(format::kHeaderBytes, table);
  require(checksum(table) == table_sum, ErrorKind::io, "the section table is damaged");
  ByteReader rows(table);
  uint64_t end = kFirst;
  for (uint32_t k = 0; k < format::kSectionCount; ++k) {
    const auto kind = rows.number<uint32_t>(), zero = rows.number<uint32_t>();
    Section s;
    s.offset = rows.number<uint64_t>(), s.bytes = rows.number<uint64_t>(), s.checksum = rows.number<uint64_t>();
    const bool inside = s.offset <= length && s.bytes <= length - s.offset;
    require(kind == k && zero == 0 && inside && aligned(s.offset) && s.offset >= end && s.offset - end < format::kSectionAlignment, ErrorKind::io,
            "the section table is wrong at section ", k);
    Bytes gap(s.offset - end);
    file_->read(end, gap);
    require(std::ranges::all_of(gap, [](std::byte b) { return b == std::byte{0}; }), ErrorKind::io, "the bytes before section ", k, " are damaged");
    end = s.offset + s.bytes;
    sections.push_back(s);
  }
  require(end == length, ErrorKind::io, "there are bytes after the last section");
}

Bytes Bundle::read_section(const Section& s, uint64_t limit, const char* name) const {
  require(s.bytes <= limit, ErrorKind::io, "the ", name, " section claims ", s.bytes, " bytes, at most ", limit, " are read");
  Bytes bytes(s.bytes);
  file_->read(s.offset, bytes);
  require(checksum(bytes) == s.checksum, ErrorKind::io, "the ", name, " section is damaged");
  return bytes;
}

void Bundle::read_index(const Bytes& bytes) {
  ByteReader r(bytes);
  uint64_t end = 0;
  while (r.left() > 0) {
    StoredConstant c;
    const auto dtype = r.number<uint8_t>(), encoding = r.number<uint8_t>(), rank = r.number<uint8_t>(), zero = r.number<uint8_t>();
    const auto chunks = r.number<uint32_t>();
    require(dtype_is_known(dtype) && encoding < format::kEncodingCount && rank <= format::kMaxRank && zero == 0, ErrorKind::io, "constant ",
            constants_.size(), " has an unknown form");
    c.encoding = static_cast<format::Encoding>(encoding);
    Dims dims;
    for (uint8_t i = 0; i < rank; ++i) {
      const auto d = r.number<uint64_t>();
      require(d <= INT64_MAX, ErrorKind::io, "constant ", constants_.size(), " has an impossible extent");
      dims.push_back(static_cast<int64_t>(d));
    }
    c.type = TensorType(static_cast<DType>(dtype), Shape::of(dims));
    c.offset = r.number<uint64_t>();
    require(chunks <= r.left() / 4, ErrorKind::io, "constant ", constants_.size(), " claims ", chunks, " pieces");
    for (uint32_t k = 0; k < chunks; ++k) c.chunk_bytes.push_back(r.number<uint32_t>());
    const auto stored = static_cast<uint64_t>(c.stored_bytes());
    require(aligned(c.offset) && c.offset >= end && c.offset <= weights_.bytes && stored <= weights_.bytes - c.offset, ErrorKind::io, "constant ",
            constants_.size(), " lies outside the weights");
    const bool strings = c.type.dtype == DType::string;
    const uint64_t elements = static_cast<uint64_t>(element_count(dims)), plain = strings ? 0 : static_cast<uint64_t>(c.type.bytes());
    if (strings) require(elements <= stored / 4, ErrorKind::io, "constant ", constants_.size(), " claims ", elements, " strings");
    else
      require(chunks == (plain + format::kChunkBytes - 1) / format::kChunkBytes, ErrorKind::io, "constant ", constants_.size(), " has ", chunks,
              " pieces for ", plain, " bytes");
    end = c.offset + stored;
    constants_.push_back(std::move(c));
  }
}

void Bundle::check_weights() const {
  Checksum sum;
  Bytes piece(std::min<uint64_t>(format::kChunkBytes, weights_.bytes));
  for (uint64_t at = 0; at < weights_.bytes;) {
    const auto part = std::span(piece).first(std::min<uint64_t>(piece.size(), weights_.bytes - at));
    file_->read(weights_.offset + at, part);
    sum.add(part);
    at += part.size();
  }
  require(sum.value() == weights_.checksum, ErrorKind::io, "the weights section is damaged");
}

std::shared_ptr<const Bundle> Bundle::open(const Path& path, CheckWeights weights) {
  ErrorScope scope("reading " + path.string());
  auto bundle = std::make_shared<Bundle>();
  bundle->self_ = bundle;
  bundle->file_ = InputFile::open(path);
  std::vector<Section> sections;
  bundle->read_header(sections);
  const auto at = [&](format::SectionKind k) { return sections[static_cast<size_t>(k)]; };
  bundle->weights_ = at(format::SectionKind::weights);
  const Bytes manifest = bundle->read_section(at(format::SectionKind::manifest), format::kMaxManifestBytes, "manifest");
  bundle->manifest_.assign(reinterpret_cast<const char*>(manifest.data()), manifest.size());
  const Bytes graph = bundle->read_section(at(format::SectionKind::graph), format::kMaxGraphBytes, "graph");
  ByteReader r(graph);
  const auto length = r.number<uint64_t>();
  require(length <= format::kMaxGraphBytes && may_hold(r.left(), length), ErrorKind::io, "the graph claims ", length, " bytes of text");
  bundle->graph_text_.resize(length);
  zstd_decompress(r.take(r.left()), std::as_writable_bytes(std::span(bundle->graph_text_)));
  bundle->read_index(bundle->read_section(at(format::SectionKind::index), format::kMaxIndexBytes, "index"));
  const Bytes check = bundle->read_section(at(format::SectionKind::self_check), format::kMaxSelfCheckBytes, "self-check");
  if (!check.empty()) bundle->self_check_ = read_self_check(check);
  if (weights == CheckWeights::now) bundle->check_weights();
  return bundle;
}

void Bundle::load(size_t i, std::span<std::byte> into) const {
  const StoredConstant& c = constants_.at(i);
  const auto width = static_cast<size_t>(std::max(1, info(c.type.dtype).bits / 8));
  std::vector<uint64_t> offsets(c.chunk_bytes.size());
  uint64_t at = weights_.offset + c.offset;
  for (size_t k = 0; k < offsets.size(); ++k) {
    offsets[k] = at;
    at += c.chunk_bytes[k];
  }
  parallel_for(static_cast<int64_t>(offsets.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k) {
      require(k * format::kChunkBytes < into.size(), ErrorKind::io, "constant ", i, " has too many pieces");
      const auto out = into.subspan(k * format::kChunkBytes, std::min<size_t>(format::kChunkBytes, into.size() - k * format::kChunkBytes));
      Bytes stored(c.chunk_bytes[k]);
      file_->read(offsets[k], stored);
      decode_chunk(c.encoding, stored, out, width);
      if (c.type.dtype == DType::boolean) std::ranges::transform(out, out.begin(), [](std::byte b) { return b == std::byte{0} ? b : std::byte{1}; });
    }
  });
}

std::optional<int64_t> Bundle::nonzeros(size_t i) const {
  const StoredConstant& c = constants_.at(i);
  using enum format::Encoding;
  const int bits = info(c.type.dtype).bits;
  if (bits < 8 || (c.encoding != bitmap && c.encoding != bitmap_zstd && c.encoding != bitmap_planes)) return std::nullopt;
  const uint64_t width = static_cast<uint64_t>(bits) / 8, plain = static_cast<uint64_t>(c.type.bytes());
  uint64_t at = weights_.offset + c.offset;
  int64_t set = 0;
  for (size_t k = 0; k < c.chunk_bytes.size(); ++k) {
    const uint64_t elements = std::min(format::kChunkBytes, plain - k * format::kChunkBytes) / width;
    Bytes map((elements + 7) / 8);
    require(map.size() <= c.chunk_bytes[k], ErrorKind::io, "constant ", i, " has a piece without its bitmap");
    file_->read(at, map);
    for (const std::byte b : map) set += std::popcount(std::to_integer<unsigned>(b));
    at += c.chunk_bytes[k];
  }
  return set;
}

Graph Bundle::graph() const {
  const auto self = self_.lock();
  std::vector<ConstTensor> made(constants_.size());
  const auto constant_at = [&](int64_t number, const TensorType& type) -> ConstTensor {
    require(number >= 0 && number < static_cast<int64_t>(constants_.size()), ErrorKind::io, "the graph names constant ", number, " of ",
            constants_.size());
    const auto i = static_cast<size_t>(number);
    const StoredConstant& c = constants_[i];
    require(type.dtype == c.type.dtype && type.shape == c.type.shape, ErrorKind::io, "constant ", number, " is ", c.type, ", the graph says ", type);
    if (made[i]) return made[i];
    if (c.type.dtype == DType::string) {
      require(c.encoding == format::Encoding::raw, ErrorKind::io, "constant ", number, " holds strings in an unknown form");
      Bytes bytes(static_cast<size_t>(c.stored_bytes()));
      load(i, bytes);
      ByteReader r(bytes);
      Tensor t(type);
      for (auto& s : t.text()) s = r.string();
      return made[i] = std::make_shared<const Tensor>(std::move(t));
    }
    Tensor t = Tensor::deferred(type, std::make_shared<BundleSource>(self, i));
    if (t.bytes() <= kResidentBytes) t = t.clone();
    return made[i] = std::make_shared<const Tensor>(std::move(t));
  };
  ErrorScope scope("the bundle's graph");
  Graph g = [&] {
    try {
      return parse_graph(graph_text_, ParseOptions{known_op, constant_at});
    } catch (const Error& e) {
      if (e.kind == ErrorKind::model) throw Error(ErrorKind::io, e.message, e.where);  // our own text: the file is wrong, not a model
      throw;
    }
  }();
  verify(g);
  return g;
}

}  // namespace onecard
