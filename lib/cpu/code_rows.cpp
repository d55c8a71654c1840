// Functions over rows of 8-bit codes.
#include "lib/cpu/code_rows.h"

#include <cmath>

#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/code_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

HWY_INLINE HWY_ATTR float real_of(uint8_t code, float zero, float scale, uint8_t flip) {
  return (static_cast<float>(static_cast<int32_t>(static_cast<uint8_t>(code ^ flip))) - zero) * scale;
}
HWY_INLINE HWY_ATTR uint8_t code_of(float v, float scale, float zero, uint8_t flip) {
  float c = std::nearbyint(v / scale) + zero;
  c = c == c ? c : (flip ? 128.0f : 0.0f);
  c = c > 0 ? c : 0.0f;
  c = c < 255 ? c : 255.0f;
  return static_cast<uint8_t>(static_cast<uint8_t>(static_cast<int32_t>(c)) ^ flip);
}

#define ONECARD_FUNCTION(Name, expression)                                       \
  struct Name {                                                                  \
    static HWY_INLINE HWY_ATTR float of(float a, float b) { return expression; } \
  };
ONECARD_FUNCTION(Add, a + b)
ONECARD_FUNCTION(Sub, a - b)
ONECARD_FUNCTION(Mul, a* b)
ONECARD_FUNCTION(Div, a / b)
ONECARD_FUNCTION(Larger, a > b ? a : b)
ONECARD_FUNCTION(Smaller, a < b ? a : b)
#undef ONECARD_FUNCTION

template <class F>
HWY_ATTR void row(const uint8_t* a, int64_t a_step, const Codes& qa, const uint8_t* b, int64_t b_step, const Codes& qb, const Bounds& bounds,
                  const Codes& qy, uint8_t* y, int64_t n) {
  const float az = qa.zero, as = qa.scale, bz = qb.zero, bs = qb.scale, yz = qy.zero, ys = qy.scale, low = bounds.low, high = bounds.high;
  const uint8_t af = qa.flip, bf = qb.flip, yf = qy.flip;
  const auto finish = [=](float v) HWY_ATTR {
    v = v < low ? low : v;
    v = v > high ? high : v;
    return code_of(v, ys, yz, yf);
  };
  if (a_step && b_step) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = finish(F::of(real_of(a[i], az, as, af), real_of(b[i], bz, bs, bf)));
  } else if (a_step) {
    const float one = real_of(*b, bz, bs, bf);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = finish(F::of(real_of(a[i], az, as, af), one));
  } else if (b_step) {
    const float one = real_of(*a, az, as, af);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = finish(F::of(one, real_of(b[i], bz, bs, bf)));
  } else {
    const uint8_t one = finish(F::of(real_of(*a, az, as, af), real_of(*b, bz, bs, bf)));
    for (int64_t i = 0; i < n; ++i) y[i] = one;
  }
}

HWY_ATTR void sums(const SumOfCodes& sum, const CodeFlips& flips, const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step, uint8_t* y,
                   int64_t n) {
  const float ra = sum.a_ratio, rb = sum.b_ratio, shift = sum.shift, low = sum.low, high = sum.high;
  const float a_off = flips.a, b_off = flips.b, y_off = flips.y;
  const uint8_t af = flips.a, bf = flips.b, yf = flips.y;
  const auto one = [=](uint8_t left, uint8_t right) HWY_ATTR {
    float v = std::fma(real_of(left, a_off, 1, af), ra, std::fma(real_of(right, b_off, 1, bf), rb, shift));
    v = v > low ? v : low;
    v = v < high ? v : high;
    return static_cast<uint8_t>(static_cast<uint8_t>(static_cast<int32_t>(std::nearbyint(v) + y_off)) ^ yf);
  };
  if (a_step && b_step) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) y[i] = one(a[i], b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = one(a[i * a_step], b[i * b_step]);
  }
}

HWY_ATTR void quantize(const float* x, const Codes& q, uint8_t* y, int64_t n) {
  const float scale = q.scale, zero = q.zero;
  const uint8_t flip = q.flip;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = code_of(x[i], scale, zero, flip);
}

HWY_ATTR void dequantize(const uint8_t* x, const Codes& q, float* y, int64_t n) {
  const float scale = q.scale, zero = q.zero;
  const uint8_t flip = q.flip;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = real_of(x[i], zero, scale, flip);
}

// Lanes of their own, so that the loop needs no order of comparisons.
HWY_ATTR Bounds range(const float* x, int64_t n) {
  constexpr int64_t kLanes = 16;
  float low[kLanes] = {}, high[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) {
      const float v = x[i + l];
      low[l] = v < low[l] ? v : low[l];
      high[l] = v > high[l] ? v : high[l];
    }
  Bounds b{0, 0};
  for (; i < n; ++i) {
    b.low = x[i] < b.low ? x[i] : b.low;
    b.high = x[i] > b.high ? x[i] : b.high;
  }
  for (int64_t l = 0; l < kLanes; ++l) {
    b.low = low[l] < b.low ? low[l] : b.low;
    b.high = high[l] > b.high ? high[l] : b.high;
  }
  return b;
}

CodeBinaryRow find(BinaryFn fn) {
  switch (fn) {
    case BinaryFn::add: return row<Add>;
    case BinaryFn::sub: return row<Sub>;
    case BinaryFn::mul: return row<Mul>;
    case BinaryFn::div: return row<Div>;
    case BinaryFn::max: return row<Larger>;
    case BinaryFn::min: return row<Smaller>;
    default: return nullptr;
  }
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {
namespace {
HWY_EXPORT(find);
HWY_EXPORT(sums);
HWY_EXPORT(quantize);
HWY_EXPORT(dequantize);
HWY_EXPORT(range);
}  // namespace

CodeBinaryRow code_binary_row(BinaryFn fn) { return HWY_DYNAMIC_DISPATCH(find)(fn); }
void code_sum_row(const SumOfCodes& sum, const CodeFlips& flips, const uint8_t* a, int64_t a_step, const uint8_t* b, int64_t b_step, uint8_t* y,
                  int64_t n) {
  HWY_DYNAMIC_DISPATCH(sums)(sum, flips, a, a_step, b, b_step, y, n);
}
void quantize_row(const float* x, const Codes& q, uint8_t* y, int64_t n) { HWY_DYNAMIC_DISPATCH(quantize)(x, q, y, n); }
void dequantize_row(const uint8_t* x, const Codes& q, float* y, int64_t n) { HWY_DYNAMIC_DISPATCH(dequantize)(x, q, y, n); }
Bounds range_with_zero(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(range)(x, n); }

}  // namespace onecard
#endif
