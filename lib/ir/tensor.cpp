#include "lib/ir/tensor.h"

#include <cmath>
#include <complex>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace onecard {

namespace {

// Zeroed memory, 64-byte aligned; untouched pages of large pieces cost nothing.
std::shared_ptr<std::byte> allocate_bytes(int64_t bytes) {
  const size_t size = (static_cast<size_t>(bytes) + 63) / 64 * 64;
  void* p = nullptr;
  if (size <= (size_t{1} << 20)) {
    p = std::aligned_alloc(64, size ? size : 64);
    if (p) std::memset(p, 0, size ? size : 64);
  } else {
    p = std::calloc(size + 64, 1);  // calloc gives fresh zero pages; the aligned start lies inside
    if (p) {
      auto* start = static_cast<std::byte*>(p);
      auto* aligned = start + (64 - reinterpret_cast<uintptr_t>(start) % 64) % 64;
      return std::shared_ptr<std::byte>(aligned, [start](std::byte*) { std::free(start); });
    }
  }
  require(p != nullptr, ErrorKind::does_not_fit, "out of memory: a tensor of ", bytes, " bytes");
  return std::shared_ptr<std::byte>(static_cast<std::byte*>(p), [](std::byte* q) { std::free(q); });
}

int packed_value(const std::byte* raw, int bits, int64_t i) {
  const int64_t bit = i * bits;
  return (static_cast<int>(raw[bit / 8]) >> (bit % 8)) & ((1 << bits) - 1);
}
void set_packed(std::byte* raw, int bits, int64_t i, int value) {
  const int64_t bit = i * bits;
  const int mask = ((1 << bits) - 1) << (bit % 8);
  raw[bit / 8] = static_cast<std::byte>((static_cast<int>(raw[bit / 8]) & ~mask) | ((value << (bit % 8)) & mask));
}
int sign_extend(int v, int bits) { return v >= (1 << (bits - 1)) ? v - (1 << bits) : v; }

template <class T>
T number_to(double v) {
  if constexpr (std::is_integral_v<T>) {
    if (std::isnan(v)) return T{0};
    if (v >= 9.2233720368547758e18) return static_cast<T>(static_cast<uint64_t>(std::min(v, 1.8446744073709549e19)));
    return static_cast<T>(static_cast<int64_t>(std::max(v, -9.2233720368547758e18)));
  } else {
    return T(static_cast<float>(v));
  }
}
template <>
double number_to<double>(double v) {
  return v;
}
template <>
bool number_to<bool>(double v) {
  return v != 0;
}

}  // namespace

Tensor::Tensor(DType dtype, const Dims& dims) : Tensor(TensorType(dtype, Shape::of(dims))) {}
// Here, not inline: every file that holds a tensor would compile them again.
Tensor::~Tensor() = default;
Tensor::Tensor(Tensor&&) noexcept = default;
Tensor& Tensor::operator=(Tensor&&) noexcept = default;

Tensor::Tensor(TensorType type) : type_(std::move(type)), has_value_(true) {
  if (type_.container == Container::sequence) {
    items_ = std::make_shared<std::vector<Tensor>>();
    return;
  }
  dims_ = type_.shape.numbers();
  elements_ = element_count(dims_);
  if (type_.dtype == DType::string) {
    require(elements_ < (int64_t{1} << 31), ErrorKind::does_not_fit, "out of memory: ", elements_, " strings");
    strings_ = std::make_shared<std::vector<std::string>>(static_cast<size_t>(elements_));
    return;
  }
  auto memory = allocate_bytes(bytes());
  data_ = memory.get();
  owner_ = std::move(memory);
}

Tensor Tensor::view(TensorType type, const void* data, std::shared_ptr<const void> owner) {
  Tensor t;
  t.type_ = std::move(type);
  t.dims_ = t.type_.shape.numbers();
  t.elements_ = element_count(t.dims_);
  t.has_value_ = true;
  t.data_ = static_cast<std::byte*>(const_cast<void*>(data));
  t.owner_ = std::move(owner);
  return t;
}

Tensor Tensor::deferred(TensorType type, std::shared_ptr<const TensorSource> source) {
  Tensor t = view(std::move(type), nullptr);
  t.source_ = std::move(source);
  return t;
}

Tensor Tensor::sequence(TensorType element_type, std::vector<Tensor> items) {
  Tensor t;
  t.type_ = std::move(element_type);
  t.type_.container = Container::sequence;
  t.has_value_ = true;
  t.items_ = std::make_shared<std::vector<Tensor>>(std::move(items));
  return t;
}

Tensor Tensor::strings(const Dims& dims, std::vector<std::string> values) {
  Tensor t(DType::string, dims);
  require(static_cast<size_t>(t.elements()) == values.size(), ErrorKind::internal, "Tensor::strings: ", values.size(), " for ", t.elements());
  *t.strings_ = std::move(values);
  return t;
}

Tensor Tensor::clone() const {
  if (!has_value_) return {};
  if (items_) {
    std::vector<Tensor> items;
    for (const auto& item : *items_) items.push_back(item.clone());
    Tensor t = sequence(type_, std::move(items));
    t.type_ = type_;
    return t;
  }
  Tensor t(type_);
  if (strings_) *t.strings_ = *strings_;
  else if (source_) source_->load({t.data_, static_cast<size_t>(bytes())});
  else if (bytes() > 0) std::memcpy(t.data_, data_, static_cast<size_t>(bytes()));
  return t;
}

Tensor Tensor::alias(TensorType type) const {
  if (items_ || !has_value_) {
    Tensor t;
    t.type_ = std::move(type);
    t.has_value_ = has_value_;
    t.items_ = items_;
    return t;
  }
  Tensor t = view(std::move(type), data_, owner_);
  t.strings_ = strings_;
  t.source_ = source_;
  require(t.bytes() == bytes() && (t.elements() == elements() || !strings_), ErrorKind::internal, "alias of ", type_, " as ", t.type_);
  return t;
}

const std::byte* Tensor::raw() const {
  require(!source_, ErrorKind::internal, "bytes of a deferred tensor were asked for; materialize() it first");
  return data_;
}
std::byte* Tensor::raw() {
  require(!source_, ErrorKind::internal, "bytes of a deferred tensor were asked for; materialize() it first");
  return data_;
}

double Tensor::at(int64_t i) const {
  const auto& row = info(type_.dtype);
  if (row.bits < 8) {
    const int v = packed_value(raw(), row.bits, i);
    if (type_.dtype == DType::f4e2m1) return small_float_to_float(type_.dtype, static_cast<uint8_t>(v));
    return row.kind == DKind::sint ? sign_extend(v, row.bits) : v;
  }
  return visit_dtype(type_.dtype, [&]<class T>(TypeTag<T>) -> double {
    if constexpr (std::is_arithmetic_v<T>) return static_cast<double>(reinterpret_cast<const T*>(raw())[i]);
    else return static_cast<float>(reinterpret_cast<const T*>(raw())[i]);
  });
}

int64_t Tensor::int_at(int64_t i) const {
  const auto& row = info(type_.dtype);
  if (row.bits < 8) return static_cast<int64_t>(at(i));
  return visit_dtype(type_.dtype, [&]<class T>(TypeTag<T>) -> int64_t {
    if constexpr (std::is_integral_v<T>) return static_cast<int64_t>(reinterpret_cast<const T*>(raw())[i]);
    else return number_to<int64_t>(at(i));
  });
}

void Tensor::set(int64_t i, double value) {
  const auto& row = info(type_.dtype);
  if (row.bits < 8) {
    const int v =
        type_.dtype == DType::f4e2m1 ? float_to_small_float(type_.dtype, static_cast<float>(value)) : static_cast<int>(number_to<int64_t>(value));
    return set_packed(raw(), row.bits, i, v);
  }
  visit_dtype(type_.dtype, [&]<class T>(TypeTag<T>) { reinterpret_cast<T*>(raw())[i] = number_to<T>(value); });
}

void Tensor::set_int(int64_t i, int64_t value) {
  const auto& row = info(type_.dtype);
  if (row.bits < 8 && row.kind != DKind::floating) return set_packed(raw(), row.bits, i, static_cast<int>(value));
  if (row.bits < 8) return set(i, static_cast<double>(value));
  visit_dtype(type_.dtype, [&]<class T>(TypeTag<T>) {
    auto& to = reinterpret_cast<T*>(raw())[i];
    if constexpr (std::is_same_v<T, bool>) to = value != 0;
    else if constexpr (std::is_arithmetic_v<T>) to = static_cast<T>(value);
    else to = T(static_cast<float>(value));
  });
}

void normalize_booleans(Tensor& t) {
  if (t.dtype() != DType::boolean) return;
  for (std::byte *b = t.raw(), *end = b + t.bytes(); b != end; ++b) *b = *b == std::byte{0} ? *b : std::byte{1};
}

ConstTensor materialize(const ConstTensor& t) {
  if (!t || !t->is_deferred()) return t;
  return std::make_shared<const Tensor>(t->clone());
}

std::vector<int64_t> to_ints(const Tensor& t) {
  std::vector<int64_t> out(static_cast<size_t>(t.elements()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = t.int_at(static_cast<int64_t>(i));
  return out;
}

std::vector<double> to_doubles(const Tensor& t) {
  std::vector<double> out(static_cast<size_t>(t.elements()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = t.at(static_cast<int64_t>(i));
  return out;
}

bool identical(const Tensor& a, const Tensor& b) {
  if (!(a.type() == b.type()) || a.has_value() != b.has_value()) return false;
  if (!a.has_value()) return true;
  if (a.type().container == Container::sequence) {
    if (a.items().size() != b.items().size()) return false;
    for (size_t i = 0; i < a.items().size(); ++i)
      if (!identical(a.items()[i], b.items()[i])) return false;
    return true;
  }
  if (a.dtype() == DType::string) return a.text() == b.text();
  if (a.bytes() == 0) return true;
  if (a.is_deferred() || b.is_deferred()) {
    const Tensor x = a.clone(), y = b.clone();
    return std::memcmp(x.raw(), y.raw(), static_cast<size_t>(x.bytes())) == 0;
  }
  return a.raw() == b.raw() || std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

Tensor convert(const Tensor& t, DType to) {
  if (t.is_deferred()) return convert(t.clone(), to);
  if (t.dtype() == to) return t.clone();
  Tensor out(TensorType(to, t.type().shape));
  const bool exact = info(t.dtype()).kind != DKind::floating && info(to).kind != DKind::floating;
  if (t.dtype() == DType::f32 && to == DType::f16) {
    for (int64_t i = 0; i < t.elements(); ++i) out.data<Half>()[static_cast<size_t>(i)] = Half(t.data<float>()[static_cast<size_t>(i)]);
  } else if (t.dtype() == DType::f16 && to == DType::f32) {
    for (int64_t i = 0; i < t.elements(); ++i) out.data<float>()[static_cast<size_t>(i)] = t.data<Half>()[static_cast<size_t>(i)];
  } else {
    for (int64_t i = 0; i < t.elements(); ++i) {
      if (exact) out.set_int(i, t.int_at(i));
      else out.set(i, t.at(i));
    }
  }
  return out;
}

}  // namespace onecard
