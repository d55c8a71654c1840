#include "lib/runtime/data/tensor_pb.h"

#include <cstring>
#include <optional>

namespace onecard {

namespace {

constexpr int kMaxDepth = 16;

// One field of a protobuf message: https://protobuf.dev/programming-guides/encoding
struct Field {
  uint64_t number = 0;
  int wire = 0;
  uint64_t value = 0;                                 // varint, fixed32, fixed64
  std::span<const std::byte> bytes;                   // length-delimited
};

class Message {
 public:
  explicit Message(std::span<const std::byte> b) : rest_(b) {}
  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    Field f;
    const uint64_t key = varint();
    f.number = key >> 3, f.wire = static_cast<int>(key & 7);
    if (f.wire == 0) f.value = varint();
    else if (f.wire == 1) f.value = fixed(8);
    else if (f.wire == 5) f.value = fixed(4);
    else if (f.wire == 2) {
      const uint64_t n = varint();
      require(n <= rest_.size(), ErrorKind::io, "not a tensor file: a field of ", n, " bytes in ", rest_.size());
      f.bytes = rest_.first(n);
      rest_ = rest_.subspan(n);
    } else fail(ErrorKind::io, "not a tensor file");
    return f;
  }
  bool empty() const { return rest_.empty(); }
  uint64_t varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      require(!rest_.empty(), ErrorKind::io, "a tensor file cut short");
      const auto b = std::to_integer<uint64_t>(rest_[0]);
      rest_ = rest_.subspan(1);
      if (shift < 64) v |= (b & 127) << shift;
      if (b < 128) return v;
    }
    fail(ErrorKind::io, "not a tensor file");
  }
  uint64_t fixed(size_t n) {
    require(n <= rest_.size(), ErrorKind::io, "a tensor file cut short");
    uint64_t v = 0;
    std::memcpy(&v, rest_.data(), n);
    rest_ = rest_.subspan(n);
    return v;
  }

 private:
  std::span<const std::byte> rest_;
};

// The numbers of a repeated scalar field, packed or one by one.
void read_numbers(const Field& f, size_t fixed_bytes, std::vector<uint64_t>& out) {
  if (f.wire != 2) return out.push_back(f.value);
  Message packed(f.bytes);
  while (!packed.empty()) out.push_back(fixed_bytes ? packed.fixed(fixed_bytes) : packed.varint());
}

std::string text_of(const Field& f) { return {reinterpret_cast<const char*>(f.bytes.data()), f.bytes.size()}; }

struct Parts {
  Dims dims;
  int64_t dtype = 0;
  std::string name;
  std::span<const std::byte> raw;
  bool has_raw = false, external = false;
  std::vector<uint64_t> numbers;
  std::vector<std::string> strings;
};

Parts read_parts(std::span<const std::byte> bytes) {
  Parts p;
  Message m(bytes);
  while (const auto f = m.next()) switch (f->number) {
      case 1: {
        std::vector<uint64_t> dims;
        read_numbers(*f, 0, dims);
        for (const uint64_t d : dims) p.dims.push_back(static_cast<int64_t>(d));
        break;
      }
      case 2: p.dtype = static_cast<int64_t>(f->value); break;
      case 4: read_numbers(*f, 4, p.numbers); break;
      case 5: case 7: case 11: read_numbers(*f, 0, p.numbers); break;
      case 6: p.strings.push_back(text_of(*f)); break;
      case 8: p.name = text_of(*f); break;
      case 9: p.raw = f->bytes, p.has_raw = true; break;
      case 10: read_numbers(*f, 8, p.numbers); break;
      case 14: p.external = f->value == 1; break;
      default: break;
    }
  return p;
}

PbTensor read_tensor(std::span<const std::byte> bytes) {
  Parts p = read_parts(bytes);
  require(!p.external, ErrorKind::io, "a tensor file whose data lies elsewhere is not read");
  require(dtype_is_known(p.dtype), ErrorKind::io, "not a tensor file: unknown element type ", p.dtype);
  const auto dtype = static_cast<DType>(p.dtype);
  for (const int64_t d : p.dims) require(d >= 0, ErrorKind::io, "a tensor file with a negative extent");
  const int64_t n = element_count(p.dims), need = storage_bytes(dtype, n);
  if (dtype == DType::string) {
    require(static_cast<uint64_t>(n) == p.strings.size(), ErrorKind::io, "a tensor file with ", p.strings.size(), " strings for ", n);
    return {p.name, Tensor::strings(p.dims, std::move(p.strings))};
  }
  if (p.has_raw) {
    require(static_cast<uint64_t>(need) == p.raw.size(), ErrorKind::io, "a tensor file with ", p.raw.size(), " bytes of data where ", need, " are needed");
    Tensor t(dtype, p.dims);
    if (need > 0) std::memcpy(t.raw(), p.raw.data(), p.raw.size());
    normalize_booleans(t);
    return {p.name, std::move(t)};
  }
  const bool is_complex = info(dtype).kind == DKind::complex;
  const auto per_number = info(dtype).bits < 8 ? 8 / info(dtype).bits : 1;
  const auto count = is_complex ? 2 * n : (n + per_number - 1) / per_number;
  require(static_cast<uint64_t>(count) == p.numbers.size(), ErrorKind::io, "a tensor file with ", p.numbers.size(), " numbers where ", count, " are needed");
  Tensor t(dtype, p.dims);
  // Typed fields hold the bits of each element, low bytes first; complex numbers as pairs of half their width.
  const size_t width = is_complex ? static_cast<size_t>(info(dtype).bits) / 16 : static_cast<size_t>(std::max(1, info(dtype).bits / 8));
  for (size_t i = 0; i < p.numbers.size(); ++i) std::memcpy(t.raw() + i * width, &p.numbers[i], width);
  normalize_booleans(t);
  return {p.name, std::move(t)};
}

PbTensor read_sequence(std::span<const std::byte> bytes, int depth) {
  require(depth < kMaxDepth, ErrorKind::io, "sequences are nested too deeply");
  PbTensor out;
  std::vector<Tensor> items;
  TensorType type(DType::f32, Shape::unranked());
  Message m(bytes);
  while (const auto f = m.next()) {
    if (f->number == 1) out.name = text_of(*f);
    else if (f->number == 3) items.push_back(read_tensor(f->bytes).tensor);
    else if (f->number == 5) items.push_back(read_sequence(f->bytes, depth + 1).tensor);
  }
  if (!items.empty()) type.dtype = items[0].dtype();
  out.tensor = Tensor::sequence(type, std::move(items));
  return out;
}

// A value of optional type is often written as what it holds: a sequence file has tensors where an optional one has a sequence.
bool is_bare_sequence(std::span<const std::byte> bytes, Container container) {
  constexpr uint64_t kTensorValues = 3;
  Message m(bytes);
  while (const auto f = m.next())
    if (f->number == kTensorValues) return container == Container::optional_sequence;
  return false;
}

PbTensor read_optional(std::span<const std::byte> bytes, Container container) {
  if (is_bare_sequence(bytes, container)) return read_sequence(bytes, 0);
  PbTensor out;
  Message m(bytes);
  std::string name;
  while (const auto f = m.next()) {
    if (f->number == 1) name = text_of(*f);
    else if (f->number == 3) out = read_tensor(f->bytes);
    else if (f->number == 5) out = read_sequence(f->bytes, 0);
  }
  out.name = name;
  return out;
}

}  // namespace

PbTensor read_tensor_pb(const Path& path, Container container) {
  ErrorScope scope("reading " + path.string());
  const auto file = MappedFile::open(path);
  switch (container) {
    case Container::sequence: return read_sequence(file->bytes(), 0);
    case Container::optional: case Container::optional_sequence: return read_optional(file->bytes(), container);
    default: return read_tensor(file->bytes());
  }
}

}  // namespace onecard
