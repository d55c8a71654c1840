#include "lib/ops/binary.h"

#include <cmath>

#include "lib/ops/broadcast_index.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(Binary)
namespace {

bool is_comparison(BinaryFn f) { return f >= BinaryFn::equal && f <= BinaryFn::greater_equal; }
bool is_logic(BinaryFn f) { return f >= BinaryFn::logical_and && f <= BinaryFn::logical_xor; }
bool is_bitwise(BinaryFn f) { return f >= BinaryFn::bitwise_and && f <= BinaryFn::shift_right; }

template <class T>
T integer_power(T base, T exponent) {
  if (exponent < 0) return base == 1 ? T{1} : base == static_cast<T>(-1) ? (exponent % 2 == 0 ? T{1} : base) : T{0};
  uint64_t result = 1, factor = static_cast<uint64_t>(base);
  for (auto e = static_cast<uint64_t>(exponent); e > 0; e >>= 1, factor *= factor)
    if (e & 1u) result *= factor;
  return wrap<T>(result);
}

// Division by zero gives 0 and the one quotient that does not fit wraps around: neither may stop the program.
template <class T>
T integer_quotient(T a, T b) {
  if (b == 0) return 0;
  if (std::is_signed_v<T> && b == static_cast<T>(-1)) return wrap<T>(uint64_t{0} - static_cast<uint64_t>(a));
  return static_cast<T>(a / b);
}
template <class T>
T integer_remainder(T a, T b) {  // has the sign of a
  if (b == 0 || (std::is_signed_v<T> && b == static_cast<T>(-1))) return 0;
  return static_cast<T>(a % b);
}

template <class T>
T on_integers(BinaryFn f, T a, T b) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  constexpr uint64_t kBits = sizeof(T) * 8;
  switch (f) {
    case BinaryFn::add: return wrap<T>(x + y);
    case BinaryFn::sub: return wrap<T>(x - y);
    case BinaryFn::mul: return wrap<T>(x * y);
    case BinaryFn::div: return integer_quotient(a, b);
    case BinaryFn::pow: return integer_power(a, b);
    case BinaryFn::max: return std::max(a, b);
    case BinaryFn::min: return std::min(a, b);
    case BinaryFn::fmod: return integer_remainder(a, b);
    case BinaryFn::mod: {
      const T r = integer_remainder(a, b);
      return r != 0 && (r < 0) != (b < 0) ? wrap<T>(static_cast<uint64_t>(r) + y) : r;
    }
    case BinaryFn::prelu: return a < 0 ? wrap<T>(x * y) : a;
    case BinaryFn::bitwise_and: return wrap<T>(x & y);
    case BinaryFn::bitwise_or: return wrap<T>(x | y);
    case BinaryFn::bitwise_xor: return wrap<T>(x ^ y);
    case BinaryFn::shift_left: return y < kBits ? wrap<T>(x << y) : T{0};
    case BinaryFn::shift_right: return y < kBits ? static_cast<T>(a >> y) : a < 0 ? static_cast<T>(-1) : T{0};
    default: fail(ErrorKind::internal, "no integer form of ", kBinaryFnNames[static_cast<size_t>(f)]);
  }
}

double on_reals(BinaryFn f, double a, double b) {
  switch (f) {
    case BinaryFn::add: return a + b;
    case BinaryFn::sub: return a - b;
    case BinaryFn::mul: return a * b;
    case BinaryFn::div: return a / b;
    case BinaryFn::pow: return std::pow(a, b);
    case BinaryFn::max: return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
    case BinaryFn::min: return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
    case BinaryFn::fmod: return std::fmod(a, b);
    case BinaryFn::mod: {
      const double r = std::fmod(a, b);
      return r == 0 ? std::copysign(0.0, b) : (r < 0) != (b < 0) ? r + b : r;
    }
    case BinaryFn::prelu: return a < 0 ? a * b : a;
    default: fail(ErrorKind::internal, "no real form of ", kBinaryFnNames[static_cast<size_t>(f)]);
  }
}

template <class T>
bool compare(BinaryFn f, const T& a, const T& b) {
  switch (f) {
    case BinaryFn::equal: return a == b;
    case BinaryFn::less: return a < b;
    case BinaryFn::less_equal: return a <= b;
    case BinaryFn::greater: return a > b;
    default: return a >= b;
  }
}

bool logic(BinaryFn f, bool a, bool b) { return f == BinaryFn::logical_and ? a && b : f == BinaryFn::logical_or ? a || b : a != b; }

// Calls f(i, ia, ib): element i of y comes from elements ia of a and ib of b.
template <class F>
void each_pair(const Tensor& y, const Tensor& a, const Tensor& b, F&& f) {
  for_each_broadcast(y.dims(), std::array{a.dims(), b.dims()}, [&](int64_t i, const std::array<int64_t, 2>& at) {
    f(static_cast<size_t>(i), static_cast<size_t>(at[0]), static_cast<size_t>(at[1]));
  });
}

template <class T>
void compare_all(BinaryFn f, const Tensor& a, const Tensor& b, Tensor& y) {
  const auto to = y.data<bool>();
  const auto x = a.data<T>(), z = b.data<T>();
  each_pair(y, a, b, [&](size_t i, size_t ia, size_t ib) {
    if constexpr (std::is_integral_v<T>) to[i] = compare(f, x[ia], z[ib]);
    else to[i] = compare(f, static_cast<double>(x[ia]), static_cast<double>(z[ib]));
  });
}

void boolean_result(BinaryFn f, const Tensor& a, const Tensor& b, Tensor& y) {
  const auto to = y.data<bool>();
  if (a.dtype() == DType::string) return each_pair(y, a, b, [&](size_t i, size_t ia, size_t ib) { to[i] = a.text()[ia] == b.text()[ib]; });
  if (a.dtype() == DType::boolean) {
    const auto x = a.data<bool>(), z = b.data<bool>();
    return each_pair(y, a, b, [&](size_t i, size_t ia, size_t ib) { to[i] = is_logic(f) ? logic(f, x[ia], z[ib]) : compare(f, x[ia], z[ib]); });
  }
  visit_numeric(a.dtype(), [&]<class T>(TypeTag<T>) { compare_all<T>(f, a, b, y); });
}

// a and b may be of different types; integers to an integer power are exact.
void power(const Tensor& a, const Tensor& b, Tensor& y) {
  const bool whole = is_integer(a.dtype()) && is_integer(b.dtype());
  const auto exponents = whole ? std::vector<double>{} : to_doubles(b);
  const auto whole_exponents = whole ? to_ints(b) : std::vector<int64_t>{};
  visit_numeric(a.dtype(), [&]<class T>(TypeTag<T>) {
    const auto x = a.data<T>();
    const auto to = y.data<T>();
    each_pair(y, a, b, [&](size_t i, size_t ia, size_t ib) {
      if constexpr (std::is_integral_v<T>) {
        if (whole) {
          to[i] = wrap<T>(static_cast<uint64_t>(integer_power<int64_t>(static_cast<int64_t>(x[ia]), whole_exponents[ib])));
          return;
        }
      }
      to[i] = narrow<T>(std::pow(static_cast<double>(x[ia]), exponents[ib]));
    });
  });
}

void require_types(BinaryFn f, DType a, DType b) {
  const auto name = kBinaryFnNames[static_cast<size_t>(f)];
  const bool mixed = f == BinaryFn::pow;
  require(a == b || mixed, ErrorKind::model, name, " of different types: ", info(a).name, " and ", info(b).name);
  const bool fits = is_logic(f)            ? a == DType::boolean
                    : is_bitwise(f)        ? is_byte_integer(a)
                    : f == BinaryFn::equal ? a == DType::string || a == DType::boolean || is_numeric(a)
                                           : is_numeric(a) && is_numeric(b);
  require(fits, ErrorKind::model, name, " is not defined on ", info(a).name);
}

// Whether a dimension cannot be negative: sums and products of extents without subtraction.
bool surely_not_negative(const Dim& d) { return d.is_number() ? d.number() >= 0 : d.is_symbolic() && d.text().find('-') == std::string::npos; }

Dim on_dims(BinaryFn f, const Dim& a, const Dim& b) {
  if (a.is_unknown() || b.is_unknown()) return Dim::unknown();
  const bool numbers = a.is_number() && b.is_number();
  if (is_comparison(f)) {
    if (numbers) return Dim(compare(f, a.number(), b.number()));
    if (a == b) return Dim(f == BinaryFn::equal || f == BinaryFn::less_equal || f == BinaryFn::greater_equal);
    const bool differ = (b.is_number() && b.number() < 0 && surely_not_negative(a)) || (a.is_number() && a.number() < 0 && surely_not_negative(b));
    return f == BinaryFn::equal && differ ? Dim(0) : Dim::unknown();
  }
  switch (f) {
    case BinaryFn::add: return a + b;
    case BinaryFn::sub: return a - b;
    case BinaryFn::mul: return a * b;
    case BinaryFn::div:
      if (numbers) return Dim(integer_quotient(a.number(), b.number()));
      // Floor division equals ONNX's truncation where neither side is negative, as extents are.
      return b.is_number() && b.number() <= 0 ? Dim::unknown() : a / b;
    case BinaryFn::mod:
    case BinaryFn::max:
    case BinaryFn::min:
    case BinaryFn::pow:
      if (a == b && (f == BinaryFn::max || f == BinaryFn::min)) return a;
      return numbers ? Dim(on_integers(f, a.number(), b.number())) : Dim::unknown();
    default: return Dim::unknown();
  }
}

Dim broadcast_extent(const Dim& a, const Dim& b) {
  if (a == Dim(1)) return b;
  if (b == Dim(1)) return a;
  if (a.is_number() && b.is_number()) {
    require(a == b, ErrorKind::model, "extents ", a.number(), " and ", b.number(), " do not broadcast");
    return a;
  }
  if (a.is_number()) return a;
  if (b.is_number()) return b;
  return same_size(a, b) ? a : Dim::unknown();
}

}  // namespace

Shape broadcast(const Shape& a, const Shape& b) {
  if (!a.has_rank() || !b.has_rank()) return Shape::unranked();
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  const int64_t skip = longer.rank() - shorter.rank();
  for (int64_t i = 0; i < shorter.rank(); ++i) out[skip + i] = broadcast_extent(longer[skip + i], shorter[i]);
  return out;
}

std::vector<TensorType> Binary::infer(const InferContext& in) const {
  const TensorType &a = plain_tensor(in, 0), &b = plain_tensor(in, 1);
  require_types(fn, a.dtype, b.dtype);
  const bool boolean = is_comparison(fn) || is_logic(fn);
  Shape shape = broadcast(a.shape, b.shape);
  if (fn == BinaryFn::prelu && a.shape.has_rank() && shape.has_rank()) {
    require(shape.rank() == a.shape.rank(), ErrorKind::model, "slope ", b.shape, " does not broadcast to ", a.shape);
    for (int64_t i = 0; i < shape.rank(); ++i)
      require(!a.shape[i].is_number() || !shape[i].is_number() || a.shape[i] == shape[i], ErrorKind::model, "slope ", b.shape,
              " does not broadcast to ", a.shape);
    shape = a.shape;
  }
  return {TensorType(boolean ? DType::boolean : a.dtype, shape)};
}

std::optional<std::vector<Dim>> Binary::infer_contents(const InferContext& in) const {
  const bool whole = in.dtype(0) == DType::i64 || in.dtype(0) == DType::i32 || in.dtype(0) == DType::boolean;
  if (!whole || in.dtype(1) != in.dtype(0)) return std::nullopt;
  if (!in.shape(0).has_rank() || !in.shape(1).has_rank() || in.shape(0).rank() > 1 || in.shape(1).rank() > 1) return std::nullopt;
  const auto a = in.contents(0), b = in.contents(1);
  if (!a || !b || (a->size() != b->size() && a->size() != 1 && b->size() != 1)) return std::nullopt;
  const size_t count = a->size() == 1 ? b->size() : a->size();
  std::vector<Dim> out(count);
  for (size_t i = 0; i < count; ++i) {
    const Dim &x = (*a)[a->size() == 1 ? 0 : i], &y = (*b)[b->size() == 1 ? 0 : i];
    if (!is_logic(fn)) out[i] = on_dims(fn, x, y);
    else out[i] = x.is_number() && y.is_number() ? Dim(logic(fn, x.number() != 0, y.number() != 0)) : Dim::unknown();
  }
  return out;
}

void Binary::reference(Inputs in, Outputs out) const {
  const Tensor &a = *in[0], &b = *in[1];
  Tensor& y = out[0];
  const bool boolean = is_comparison(fn) || is_logic(fn);
  shape_output(y, boolean ? DType::boolean : a.dtype(), broadcast(Shape::of(a.dims()), Shape::of(b.dims())).numbers());
  if (boolean) return boolean_result(fn, a, b, y);
  if (fn == BinaryFn::pow && (a.dtype() != b.dtype() || a.dtype() == DType::u64)) return power(a, b, y);
  visit_numeric(a.dtype(), [&]<class T>(TypeTag<T>) {
    const auto x = a.data<T>(), z = b.data<T>();
    const auto to = y.data<T>();
    each_pair(y, a, b, [&](size_t i, size_t ia, size_t ib) {
      if constexpr (std::is_integral_v<T>) to[i] = on_integers(fn, x[ia], z[ib]);
      else to[i] = narrow<T>(on_reals(fn, static_cast<double>(x[ia]), static_cast<double>(z[ib])));
    });
  });
}

}  // namespace onecard
