#include "lib/ir/type.h"

#include <charconv>
#include <cmath>
#include <ostream>

#include "lib/base/error.h"

namespace onecard {

int64_t element_count(const Dims& dims) {
  int64_t n = 1;
  bool overflow = false, zero = false;
  for (const int64_t d : dims) {
    require(d >= 0, ErrorKind::model, "a tensor with the negative extent ", d);
    zero = zero || d == 0;
    overflow = overflow || __builtin_mul_overflow(n, d == 0 ? 1 : d, &n);
  }
  if (zero) return 0;
  require(!overflow && n <= INT64_MAX / 16, ErrorKind::model, "a tensor of more elements than 2^59");
  return n;
}

int64_t storage_bytes(DType dtype, int64_t elements) {
  const int bits = info(dtype).bits;
  return bits % 8 == 0 ? elements * (bits / 8) : (elements * bits + 7) / 8;
}

std::vector<int64_t> row_major_strides(const Dims& dims) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (size_t i = dims.size(); i-- > 1;)
    if (__builtin_mul_overflow(strides[i], dims[i], &strides[i - 1]))
      strides[i - 1] = 0;  // beside an extent of 0 any may stand; no element is there to be reached
  return strides;
}

Shape Shape::unranked() {
  Shape s;
  s.unranked_ = true;
  return s;
}

int64_t Shape::rank() const {
  require(!unranked_, ErrorKind::internal, "rank of an unranked shape");
  return static_cast<int64_t>(dims_.size());
}

bool Shape::is_static() const {
  if (unranked_) return false;
  for (const auto& d : dims_)
    if (!d.is_number()) return false;
  return true;
}

Dims Shape::numbers() const {
  Dims out;
  require(!unranked_, ErrorKind::internal, "extents of an unranked shape");
  for (const auto& d : dims_) out.push_back(d.number());
  return out;
}

Dim Shape::elements() const {
  if (unranked_) return Dim::unknown();
  Dim n = 1;
  for (const auto& d : dims_) n = n * d;
  return n;
}

Shape Shape::bind(const SymbolValues& values) const {
  if (unranked_) return *this;
  std::vector<Dim> dims;
  for (const auto& d : dims_) dims.push_back(d.bind(values));
  return Shape(std::move(dims));
}

std::string Shape::text() const {
  if (unranked_) return "[*]";
  std::string out = "[";
  for (size_t i = 0; i < dims_.size(); ++i) out += (i ? "," : "") + dims_[i].text();
  return out + "]";
}

int64_t TensorType::bytes() const { return storage_bytes(dtype, element_count(shape.numbers())); }

namespace {
std::string float_text(float v) {
  if (std::isnan(v)) return "nan";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  return std::string(buffer, end);
}
}  // namespace

std::string TensorType::text() const {
  static constexpr std::string_view kPrefix[] = {"absent ", "", "seq ", "opt ", "optseq "};
  std::string out(kPrefix[static_cast<size_t>(container)]);
  if (container == Container::none) return "absent";
  out += info(dtype).name;
  out += shape.text();
  if (quant) {
    out += "{axis=" + std::to_string(quant->axis) + ", block=" + std::to_string(quant->block) + ", scale=[";
    for (size_t i = 0; i < quant->scale.size(); ++i) out += (i ? "," : "") + float_text(quant->scale[i]);
    out += "], zero=[";
    for (size_t i = 0; i < quant->zero_point.size(); ++i) out += (i ? "," : "") + std::to_string(quant->zero_point[i]);
    out += "]}";
  }
  return out;
}

bool TensorType::operator==(const TensorType& o) const {
  if (container != o.container) return false;
  if (container == Container::none) return true;
  const bool same_quant = quant == o.quant || (quant && o.quant && *quant == *o.quant);
  return dtype == o.dtype && shape == o.shape && same_quant;
}

std::ostream& operator<<(std::ostream& out, const Shape& s) { return out << s.text(); }
std::ostream& operator<<(std::ostream& out, const TensorType& t) { return out << t.text(); }

}  // namespace onecard
