#include "lib/bundle/self_check.h"

#include <algorithm>
#include <cmath>

#include "lib/bundle/bytes.h"

namespace onecard {

namespace {

constexpr uint32_t kMaxOutputs = 1 << 20;
constexpr uint8_t kSampleRank = 64;

// splitmix64: a full-period generator of one line, the same everywhere.
uint64_t next_random(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}
double uniform(uint64_t& state) { return (static_cast<double>(next_random(state) >> 11) + 0.5) * 0x1p-53; }

void write_type(ByteWriter& w, DType dtype, const Dims& dims) {
  w.number(static_cast<uint8_t>(dtype));
  w.number(static_cast<uint8_t>(dims.size()));
  for (const int64_t d : dims) w.number(d);
}
std::pair<DType, Dims> read_type(ByteReader& r) {
  const auto code = r.number<uint8_t>();
  const auto rank = r.number<uint8_t>();
  require(dtype_is_known(code) && rank <= kSampleRank, ErrorKind::io, "the self-check is damaged: an unknown type");
  Dims dims;
  for (uint8_t i = 0; i < rank; ++i) dims.push_back(r.number<int64_t>());
  for (const int64_t d : dims) require(d >= 0, ErrorKind::io, "the self-check is damaged: a negative extent");
  return {static_cast<DType>(code), dims};
}

// A seeded input is made when it is run, not when the bundle is opened: its type may claim a gigabyte.
class SeededSource : public TensorSource {
 public:
  SeededSource(TensorType type, uint64_t seed) : type_(std::move(type)), seed_(seed) {}
  void load(std::span<std::byte> into) const override {
    const Tensor made = random_tensor(type_, seed_);
    std::copy_n(made.raw(), into.size(), into.data());
  }
  std::string text() const override { return "seed"; }

 private:
  TensorType type_;
  uint64_t seed_;
};

}  // namespace

int64_t checked_count(const Tensor& t, size_t outputs) {
  if (t.type().container != Container::tensor || !t.has_value() || t.dtype() == DType::string || info(t.dtype()).kind == DKind::complex) return 0;
  return std::min(t.elements(), std::max(kMaxCheckedValues / static_cast<int64_t>(std::max<size_t>(outputs, 1)), kFewestCheckedValues));
}

std::vector<double> checked_values(const Tensor& t, int64_t count) {
  std::vector<double> values;
  const int64_t n = t.elements();
  for (int64_t i = 0; i < count; ++i) values.push_back(t.at(static_cast<int64_t>(static_cast<__int128>(i) * n / count)));
  return values;
}

Tensor random_tensor(const TensorType& type, uint64_t seed) {
  if (type.container != Container::tensor && type.container != Container::sequence) return {};  // an empty optional
  Tensor t(type);
  if (type.dtype == DType::string || type.container != Container::tensor) return t;
  uint64_t state = seed * 0x2545f4914f6cdd1dull + 1;
  const bool real = is_float(type.dtype);
  for (int64_t i = 0; i < t.elements(); ++i) {
    if (!real) {
      t.set_int(i, static_cast<int64_t>(next_random(state) & 1));
      continue;
    }
    const double radius = std::sqrt(-2 * std::log(uniform(state)));
    const float v = static_cast<float>(radius * std::cos(6.283185307179586 * uniform(state)));
    if (type.dtype == DType::f32) t.data<float>()[static_cast<size_t>(i)] = v;
    else t.set(i, v);
  }
  return t;
}

Bytes write_self_check(const SelfCheck& check) {
  ByteWriter w;
  w.number(static_cast<uint8_t>(check.seed.has_value()));
  w.number(check.seed.value_or(0));
  w.number(static_cast<uint32_t>(check.inputs.size()));
  for (const auto& t : check.inputs) {
    write_type(w, t.dtype(), t.dims());
    if (!check.seed) w.raw({t.raw(), static_cast<size_t>(t.bytes())});
  }
  w.number(static_cast<uint32_t>(check.outputs.size()));
  for (const auto& o : check.outputs) {
    w.string(o.name);
    write_type(w, o.dtype, o.dims);
    w.number(o.range);
    for (const auto* list : {&o.values, &o.original}) {
      w.number(static_cast<uint32_t>(list->size()));
      for (const double v : *list) w.number(v);
    }
  }
  const Bytes packed = zstd_compress(w.bytes);
  ByteWriter out;
  out.number(static_cast<uint64_t>(w.bytes.size()));
  out.raw(packed);
  return std::move(out.bytes);
}

SelfCheck read_self_check(std::span<const std::byte> stored) {
  ByteReader outer(stored);
  const auto size = outer.number<uint64_t>();
  require(size <= format::kMaxSelfCheckBytes && may_hold(outer.left(), size), ErrorKind::io, "the self-check claims ", size, " bytes");
  Bytes plain(size);
  zstd_decompress(outer.take(outer.left()), plain);
  ByteReader r(plain);
  SelfCheck check;
  const bool seeded = r.number<uint8_t>() != 0;
  const auto seed = r.number<uint64_t>();
  if (seeded) check.seed = seed;
  const auto inputs = r.number<uint32_t>();
  require(inputs <= kMaxOutputs, ErrorKind::io, "the self-check is damaged: ", inputs, " inputs");
  for (uint32_t i = 0; i < inputs; ++i) {
    const auto [dtype, dims] = read_type(r);
    require(dtype != DType::string, ErrorKind::io, "the self-check is damaged: an input of strings");
    const TensorType type(dtype, Shape::of(dims));
    if (seeded) {
      require(static_cast<uint64_t>(type.bytes()) <= format::kMaxSelfCheckBytes, ErrorKind::io, "the self-check is damaged: an input of ", type.bytes(), " bytes");
      check.inputs.push_back(Tensor::deferred(type, std::make_shared<const SeededSource>(type, seed + i)));
      continue;
    }
    const auto bytes = r.take(static_cast<uint64_t>(type.bytes()));  // before the tensor is made: what is there bounds it
    Tensor t(type);
    std::copy(bytes.begin(), bytes.end(), t.raw());
    check.inputs.push_back(std::move(t));
  }
  const auto outputs = r.number<uint32_t>();
  require(outputs <= kMaxOutputs, ErrorKind::io, "the self-check is damaged: ", outputs, " outputs");
  for (uint32_t i = 0; i < outputs; ++i) {
    CheckedOutput o;
    o.name = r.string();
    std::tie(o.dtype, o.dims) = read_type(r);
    o.range = r.number<double>();
    for (auto* list : {&o.values, &o.original}) {
      const auto n = r.number<uint32_t>();
      require(n <= kMaxCheckedValues, ErrorKind::io, "the self-check is damaged: ", n, " values");
      for (uint32_t k = 0; k < n; ++k) list->push_back(r.number<double>());
    }
    check.outputs.push_back(std::move(o));
  }
  return check;
}

}  // namespace onecard
