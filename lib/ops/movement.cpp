#include "lib/ops/movement.h"

#include <algorithm>

namespace onecard {

namespace {

// The bits of a packed element.
uint8_t packed_at(const Tensor& t, int bits, int64_t i) {
  const int per_byte = 8 / bits;
  const auto byte = std::to_integer<uint8_t>(t.raw()[i / per_byte]);
  return static_cast<uint8_t>((byte >> (i % per_byte * bits)) & ((1 << bits) - 1));
}

void set_packed(Tensor& t, int bits, int64_t i, uint8_t value) {
  const int per_byte = 8 / bits;
  const int shift = static_cast<int>(i % per_byte) * bits;
  std::byte& at = t.raw()[i / per_byte];
  const int mask = ((1 << bits) - 1) << shift;
  at = static_cast<std::byte>((std::to_integer<int>(at) & ~mask) | (value << shift));
}

}  // namespace

ElementCopier::ElementCopier(const Tensor& from, Tensor& to) : from_(&from), to_(&to) {
  require(from.dtype() == to.dtype(), ErrorKind::internal, "copies ", info(from.dtype()).name, " to ", info(to.dtype()).name);
  const int bits = info(from.dtype()).bits;
  if (from.dtype() == DType::string || bits % 8 != 0) return;
  bytes_ = bits / 8;
  source_ = from.raw();
  target_ = to.raw();
}

void ElementCopier::copy_slowly(int64_t from, int64_t to, int64_t count) const {
  if (from_->dtype() == DType::string) {
    for (int64_t i = 0; i < count; ++i) to_->text()[static_cast<size_t>(to + i)] = from_->text()[static_cast<size_t>(from + i)];
    return;
  }
  const int bits = info(from_->dtype()).bits;
  for (int64_t i = 0; i < count; ++i) set_packed(*to_, bits, to + i, packed_at(*from_, bits, from + i));
}

void copy_all(const Tensor& x, Tensor& y) {
  require(x.elements() == y.elements(), ErrorKind::internal, "copies ", x.elements(), " elements to ", y.elements());
  ElementCopier(x, y)(0, 0, x.elements());
}

void fill_elements(Tensor& to, int64_t at, int64_t count, const Tensor* value, int64_t index) {
  if (count <= 0) return;
  if (value) {
    const ElementCopier copy(*value, to);
    for (int64_t i = 0; i < count; ++i) copy(index, at + i);
    return;
  }
  const int bits = info(to.dtype()).bits;
  if (to.dtype() == DType::string) {
    for (int64_t i = 0; i < count; ++i) to.text()[static_cast<size_t>(at + i)].clear();
  } else if (bits % 8 == 0) {
    std::memset(to.raw() + at * (bits / 8), 0, static_cast<size_t>(count * (bits / 8)));
  } else {
    for (int64_t i = 0; i < count; ++i) set_packed(to, bits, at + i, 0);
  }
}

Tensor& allocated(Tensor& out, DType dtype, const Dims& dims, const QuantizationPtr& quant) {
  if (out.has_value() && out.type().container == Container::tensor) {
    require(out.dtype() == dtype && out.dims() == dims, ErrorKind::model, "gives ", TensorType(dtype, Shape::of(dims)).text(), " where ", out.type(),
            " was expected");
    return out;
  }
  out = Tensor(TensorType(dtype, Shape::of(dims), quant));
  return out;
}

void deliver(Tensor& out, Tensor result) {
  const bool in_place =
      out.has_value() && out.type().container == Container::tensor && result.has_value() && result.type().container == Container::tensor;
  if (in_place) {
    copy_all(result, allocated(out, result.dtype(), result.dims()));
  } else {
    out = std::move(result);
  }
}

std::vector<int64_t> axis_indices(const std::vector<int64_t>& axes, int64_t rank) {
  axis_mask(axes, rank);  // checks
  std::vector<int64_t> indices;
  for (int64_t a : axes) indices.push_back(checked_axis(a, rank));
  return indices;
}

int64_t extent_product(const Dims& dims, int64_t begin, int64_t end) { return element_count(Dims(dims.begin() + begin, dims.begin() + end)); }

Dim agreed(const Dim& a, const Dim& b) {
  if (a.is_number() && b.is_number())
    require(a.number() == b.number(), ErrorKind::model, "extents ", a.number(), " and ", b.number(), " differ where they must agree");
  if (a.is_number() || b.is_unknown()) return a;
  return b.is_number() || a.is_unknown() ? b : a;
}

Dim checked_extent(const Dim& d) {
  if (d.is_number()) require(d.number() >= 0, ErrorKind::model, "extent ", d.number(), " is negative");
  return d;
}

std::optional<int64_t> known_length(const Shape& list) {
  if (!list.has_rank()) return std::nullopt;
  require(list.rank() <= 1, ErrorKind::model, "expects a list of integers, got ", list);
  if (list.rank() == 0) return 1;
  const auto n = list[0].maybe();
  return n && *n >= 0 && *n <= kRankLimit ? n : std::nullopt;
}

QuantizationPtr moved_quant(const TensorType& x) {
  require(!x.quant || x.quant->axis < 0, ErrorKind::model, "moves the elements of a value quantized per axis (", x, ")");
  return x.quant;
}

QuantizationPtr shared_quant(const TensorType& a, const TensorType& b) {
  const auto qa = moved_quant(a), qb = moved_quant(b);
  require(same_value(qa, qb), ErrorKind::model, "mixes values of different quantization (", a, " and ", b, ")");
  return qa;
}

const TensorType& tensor_type(const InferContext& in, size_t i) {
  const TensorType& t = in.type(i);
  require(t.container == Container::tensor, ErrorKind::model, "input ", i, " must be a tensor, not ", t);
  return t;
}

Value* list_input(const OnnxNode& node, std::string_view key, size_t i) {
  if (node.has(key)) return int_list(node, node.attr<std::vector<int64_t>>(key, {}));
  return node.input(i);
}

Value* int_list(const OnnxNode& node, const std::vector<int64_t>& values) {
  return node.constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

Dims broadcast_dims(const Dims& a, const Dims& b) {
  Dims out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    require(x == y || x == 1 || y == 1, ErrorKind::model, "extents ", x, " and ", y, " do not broadcast");
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

}  // namespace onecard
