#include <cmath>

#include "lib/cpu/float_rows.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/walk.h"
#include "lib/ops/arithmetic.h"
#include "lib/ops/broadcast_index.h"

namespace onecard {
namespace {

using AnyRow = void (*)(const void* a, int64_t a_step, const void* b, int64_t b_step, void* y, int64_t n);

template <class T, class Y, class F>
void any_row(const void* left, int64_t a_step, const void* right, int64_t b_step, void* to, int64_t n) {
  const auto *a = static_cast<const T*>(left), *b = static_cast<const T*>(right);
  auto* y = static_cast<Y*>(to);
  const F f;
  if (a_step && b_step) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i], b[i]);
  } else {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = f(a[i * a_step], b[i * b_step]);
  }
}

template <class T>
uint64_t bits(T v) {
  return static_cast<uint64_t>(v);
}

// As the op defines them: integers wrap around, a division by zero gives 0, the remainder of fmod has the sign of a.
template <class T>
T quotient(T a, T b) {
  if (b == 0) return 0;
  if (std::is_signed_v<T> && b == static_cast<T>(-1)) return wrap<T>(uint64_t{0} - bits(a));
  return static_cast<T>(a / b);
}
template <class T>
T remainder(T a, T b) {
  return b == 0 || (std::is_signed_v<T> && b == static_cast<T>(-1)) ? T{0} : static_cast<T>(a % b);
}

#define ONECARD_FUNCTION(Name, expression) \
  struct Name {                            \
    template <class T>                     \
    T operator()(T a, T b) const {         \
      return expression;                   \
    }                                      \
  };
ONECARD_FUNCTION(IntAdd, wrap<T>(bits(a) + bits(b)))
ONECARD_FUNCTION(IntSub, wrap<T>(bits(a) - bits(b)))
ONECARD_FUNCTION(IntMul, wrap<T>(bits(a) * bits(b)))
ONECARD_FUNCTION(IntDiv, quotient(a, b))
ONECARD_FUNCTION(IntFmod, remainder(a, b))
ONECARD_FUNCTION(Larger, a > b ? a : b)
ONECARD_FUNCTION(Smaller, a < b ? a : b)
ONECARD_FUNCTION(And, a& b)
ONECARD_FUNCTION(Or, a | b)
ONECARD_FUNCTION(Xor, a ^ b)
ONECARD_FUNCTION(RealAdd, a + b)
ONECARD_FUNCTION(RealSub, a - b)
ONECARD_FUNCTION(RealMul, a* b)
ONECARD_FUNCTION(RealDiv, a / b)
ONECARD_FUNCTION(RealLarger, a > b || a != a ? a : b)
ONECARD_FUNCTION(RealSmaller, a < b || a != a ? a : b)
#undef ONECARD_FUNCTION
struct IntMod {
  template <class T>
  T operator()(T a, T b) const {
    const T r = remainder(a, b);
    return r != 0 && (r < 0) != (b < 0) ? wrap<T>(bits(r) + bits(b)) : r;
  }
};

template <class T>
AnyRow find_comparison(BinaryFn fn) {
  switch (fn) {
    case BinaryFn::equal: return any_row<T, uint8_t, std::equal_to<T>>;
    case BinaryFn::less: return any_row<T, uint8_t, std::less<T>>;
    case BinaryFn::less_equal: return any_row<T, uint8_t, std::less_equal<T>>;
    case BinaryFn::greater: return any_row<T, uint8_t, std::greater<T>>;
    case BinaryFn::greater_equal: return any_row<T, uint8_t, std::greater_equal<T>>;
    default: return nullptr;
  }
}

template <class T>
AnyRow find_integer(BinaryFn fn) {
  switch (fn) {
    case BinaryFn::add: return any_row<T, T, IntAdd>;
    case BinaryFn::sub: return any_row<T, T, IntSub>;
    case BinaryFn::mul: return any_row<T, T, IntMul>;
    case BinaryFn::div: return any_row<T, T, IntDiv>;
    case BinaryFn::mod: return any_row<T, T, IntMod>;
    case BinaryFn::fmod: return any_row<T, T, IntFmod>;
    case BinaryFn::max: return any_row<T, T, Larger>;
    case BinaryFn::min: return any_row<T, T, Smaller>;
    case BinaryFn::bitwise_and: return any_row<T, T, And>;
    case BinaryFn::bitwise_or: return any_row<T, T, Or>;
    case BinaryFn::bitwise_xor: return any_row<T, T, Xor>;
    default: return find_comparison<T>(fn);
  }
}

AnyRow find_double(BinaryFn fn) {
  switch (fn) {
    case BinaryFn::add: return any_row<double, double, RealAdd>;
    case BinaryFn::sub: return any_row<double, double, RealSub>;
    case BinaryFn::mul: return any_row<double, double, RealMul>;
    case BinaryFn::div: return any_row<double, double, RealDiv>;
    case BinaryFn::max: return any_row<double, double, RealLarger>;
    case BinaryFn::min: return any_row<double, double, RealSmaller>;
    default: return find_comparison<double>(fn);
  }
}

AnyRow find_logic(BinaryFn fn) {
  switch (fn) {
    case BinaryFn::logical_and: return any_row<uint8_t, uint8_t, And>;
    case BinaryFn::logical_or: return any_row<uint8_t, uint8_t, Or>;
    case BinaryFn::logical_xor: return any_row<uint8_t, uint8_t, Xor>;
    case BinaryFn::equal: return any_row<uint8_t, uint8_t, std::equal_to<uint8_t>>;
    default: return nullptr;
  }
}

AnyRow find_any(BinaryFn fn, DType t) {
  switch (t) {
    case DType::i64: return find_integer<int64_t>(fn);
    case DType::i32: return find_integer<int32_t>(fn);
    case DType::u8: return find_integer<uint8_t>(fn);
    case DType::i8: return find_integer<int8_t>(fn);
    case DType::f64: return find_double(fn);
    case DType::boolean: return find_logic(fn);
    default: return nullptr;
  }
}

// Operands: a, b, y.
std::optional<Walk<3>> walk_of(const KernelQuery& q) {
  const Dims y = q.out[0].shape.numbers();
  return make_walk<3>(y, {broadcast_strides(q.in[0].shape.numbers(), y), broadcast_strides(q.in[1].shape.numbers(), y), row_major_strides(y)});
}

template <class Row>
std::unique_ptr<Step> step_of(const KernelQuery& q, Row row) {
  const int64_t x_bytes = element_bytes(q.in[0]), y_bytes = element_bytes(q.out[0]);
  return plain_step(q, [walk = *walk_of(q), row, x_bytes, y_bytes](const LaunchArgs& args) {
    const int64_t a_step = walk.row_stride(0), b_step = walk.row_stride(1);
    walk_pieces(walk, 8192, [&](const std::array<int64_t, 3>& at, int64_t count) {
      const void *a = static_cast<const char*>(args.in[0]) + at[0] * x_bytes, *b = static_cast<const char*>(args.in[1]) + at[1] * x_bytes;
      row(a, a_step, b, b_step, static_cast<char*>(args.out[0]) + at[2] * y_bytes, count);
    });
  });
}

Support supports(const Binary& op, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  if (q.in[0].quant || q.in[1].quant) return no("quantized: " + q.in[0].text());
  if (q.in[0].dtype != q.in[1].dtype) return no("different types: " + q.in[1].text());
  const bool found = q.in[0].dtype == DType::f32 ? float_binary_row(op.fn) != nullptr : find_any(op.fn, q.in[0].dtype) != nullptr;
  if (!found) return no("no loop for " + std::string(kBinaryFnNames[static_cast<size_t>(op.fn)]) + " of " + std::string(info(q.in[0].dtype).name));
  return walk_of(q) ? yes() : no("too many axes");
}

std::unique_ptr<Step> prepare(const Binary& op, const KernelQuery& q) {
  std::unique_ptr<Step> step;
  if (q.in[0].dtype == DType::f32) {
    step = step_of(q, [row = float_binary_row(op.fn)](const void* a, int64_t a_step, const void* b, int64_t b_step, void* y, int64_t n) {
      row(static_cast<const float*>(a), a_step, static_cast<const float*>(b), b_step, y, n);
    });
  } else {
    step = step_of(q, find_any(op.fn, q.in[0].dtype));
  }
  allow_in_place(*step, q, {0, 1});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_plain_binary_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Binary, supports, prepare>>("cpu.binary"); }

}  // namespace onecard
