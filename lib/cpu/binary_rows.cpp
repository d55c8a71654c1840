// Binary functions and sums over rows of f32.
#include <cmath>
#include <limits>

#include "lib/cpu/float_rows.h"
#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/binary_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

#define ONECARD_FUNCTION(Name, Result, expression)                                \
  struct Name {                                                                   \
    using Y = Result;                                                             \
    static HWY_INLINE HWY_ATTR Result of(float a, float b) { return expression; } \
  };
ONECARD_FUNCTION(Add, float, a + b)
ONECARD_FUNCTION(Sub, float, a - b)
ONECARD_FUNCTION(Mul, float, a* b)
ONECARD_FUNCTION(Div, float, a / b)
ONECARD_FUNCTION(Larger, float, a > b || a != a ? a : b)
ONECARD_FUNCTION(Smaller, float, a < b || a != a ? a : b)
ONECARD_FUNCTION(Prelu, float, a < 0 ? a * b : a)
ONECARD_FUNCTION(Equal, uint8_t, a == b)
ONECARD_FUNCTION(Less, uint8_t, a < b)
ONECARD_FUNCTION(LessEqual, uint8_t, a <= b)
ONECARD_FUNCTION(Greater, uint8_t, a > b)
ONECARD_FUNCTION(GreaterEqual, uint8_t, a >= b)
ONECARD_FUNCTION(Pow, float, static_cast<float>(std::pow(static_cast<double>(a), static_cast<double>(b))))
ONECARD_FUNCTION(Fmod, float, std::fmod(a, b))
ONECARD_FUNCTION(SquareRoot, float, a == -std::numeric_limits<float>::infinity() ? std::numeric_limits<float>::infinity() : std::sqrt(a) + b)
#undef ONECARD_FUNCTION
struct Mod {
  using Y = float;
  static HWY_INLINE HWY_ATTR float of(float a, float b) {
    const float r = std::fmod(a, b);
    return r == 0 ? std::copysign(0.0f, b) : (r < 0) != (b < 0) ? r + b : r;
  }
};

template <class F>
HWY_ATTR void row(const float* a, int64_t a_step, const float* b, int64_t b_step, void* to, int64_t n) {
  auto* y = static_cast<typename F::Y*>(to);
  if (a_step && b_step) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::of(a[i], b[i]);
  } else if (a_step) {
    const float one = *b;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::of(a[i], one);
  } else if (b_step) {
    const float one = *a;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = F::of(one, b[i]);
  } else {
    const typename F::Y one = F::of(*a, *b);
    for (int64_t i = 0; i < n; ++i) y[i] = one;
  }
}

// Exponents that networks use are products and roots.
HWY_ATTR void power_row(const float* a, int64_t a_step, const float* b, int64_t b_step, void* to, int64_t n) {
  const float exponent = *b, zero = 0;
  auto* y = static_cast<float*>(to);
  if (b_step || n == 0) return row<Pow>(a, a_step, b, b_step, to, n);
  if (exponent == 2) return row<Mul>(a, a_step, a, a_step, to, n);
  if (exponent == 0.5f) return row<SquareRoot>(a, a_step, &zero, 0, to, n);
  if (exponent == 3 && a_step) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) {
      const double v = a[i];
      y[i] = static_cast<float>(v * v * v);
    }
    return;
  }
  row<Pow>(a, a_step, b, b_step, to, n);
}

BinaryRow find_row(BinaryFn fn) {
  switch (fn) {
    case BinaryFn::add: return row<Add>;
    case BinaryFn::sub: return row<Sub>;
    case BinaryFn::mul: return row<Mul>;
    case BinaryFn::div: return row<Div>;
    case BinaryFn::pow: return power_row;
    case BinaryFn::max: return row<Larger>;
    case BinaryFn::min: return row<Smaller>;
    case BinaryFn::mod: return row<Mod>;
    case BinaryFn::fmod: return row<Fmod>;
    case BinaryFn::prelu: return row<Prelu>;
    case BinaryFn::equal: return row<Equal>;
    case BinaryFn::less: return row<Less>;
    case BinaryFn::less_equal: return row<LessEqual>;
    case BinaryFn::greater: return row<Greater>;
    case BinaryFn::greater_equal: return row<GreaterEqual>;
    default: return nullptr;
  }
}

// Sums `term(x[i])` in 16 floats over short stretches, these in double.
template <class T>
HWY_INLINE HWY_ATTR double sum_of(const float* x, int64_t n, T term) {
  double total = 0;
  for (int64_t first = 0; first < n; first += 1024) {
    const int64_t count = n - first < 1024 ? n - first : 1024;
    const float* from = x + first;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; ++i) sum += term(from[i]);
    total += sum;
  }
  return total;
}
HWY_ATTR double plain_sum(const float* x, int64_t n) {
  return sum_of(x, n, [](float v) HWY_ATTR { return v; });
}
HWY_ATTR double absolute_sum(const float* x, int64_t n) {
  return sum_of(x, n, [](float v) HWY_ATTR { return std::fabs(v); });
}
HWY_ATTR double square_sum(const float* x, int64_t n) {
  return sum_of(x, n, [](float v) HWY_ATTR { return v * v; });
}
HWY_ATTR double sum_around(const float* x, int64_t n, float center) {
  return sum_of(x, n, [center](float v) HWY_ATTR { return (v - center) * (v - center); });
}
HWY_ATTR void scale_row(const float* x, float center, float factor, const float* scale, const float* bias, float* y, int64_t n) {
  if (scale && bias) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - center) * factor * scale[i] + bias[i];
  } else if (scale) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - center) * factor * scale[i];
  } else {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - center) * factor + (bias ? bias[i] : 0.0f);
  }
}
RowSums find_sums() { return {plain_sum, absolute_sum, square_sum, sum_around, scale_row}; }

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(find_row);
HWY_EXPORT(find_sums);

BinaryRow float_binary_row(BinaryFn fn) { return HWY_DYNAMIC_DISPATCH(find_row)(fn); }
RowSums row_sums() { return HWY_DYNAMIC_DISPATCH(find_sums)(); }

}  // namespace onecard
#endif
