// Functions of one f32, over rows: written with vectors, as loops the compiler vectorizes, or by the C library.
#include <cmath>

#include "lib/cpu/float_rows.h"
#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/unary_rows.cpp"
#include "hwy/foreach_target.h"

#include "lib/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

// a and b are the function's parameters.
#define ONECARD_FUNCTION(Name, Result, expression)                                                                           \
  struct Name {                                                                                                              \
    using Y = Result;                                                                                                        \
    static HWY_INLINE HWY_ATTR Result of(float x, [[maybe_unused]] float a, [[maybe_unused]] float b) { return expression; } \
  };
ONECARD_FUNCTION(Relu, float, x < 0 ? 0 : x)
ONECARD_FUNCTION(LeakyRelu, float, x < 0 ? a * x : x)
ONECARD_FUNCTION(HardSigmoid, float, a* x + b < 0 ? 0 : a * x + b > 1 ? 1 : a * x + b)
ONECARD_FUNCTION(HardSwish, float, x*(x / 6 + 0.5f < 0 ? 0 : x / 6 + 0.5f > 1 ? 1 : x / 6 + 0.5f))
ONECARD_FUNCTION(Softsign, float, x / (1 + std::fabs(x)))
ONECARD_FUNCTION(ThresholdedRelu, float, x > a ? x : 0)
ONECARD_FUNCTION(Clip, float, (x < a ? a : x) > b ? b : x < a ? a : x)
ONECARD_FUNCTION(Shrink, float, x<-a ? x + b : x> a ? x - b : 0)
ONECARD_FUNCTION(Abs, float, std::fabs(x))
ONECARD_FUNCTION(Neg, float, -x)
ONECARD_FUNCTION(Sign, float, x > 0 ? 1.0f : x < 0 ? -1.0f : x)
ONECARD_FUNCTION(Sqrt, float, std::sqrt(x))
ONECARD_FUNCTION(Reciprocal, float, 1 / x)
ONECARD_FUNCTION(Square, float, x* x)
ONECARD_FUNCTION(IsNan, uint8_t, x != x)
ONECARD_FUNCTION(IsInf, uint8_t, (b != 0 && x == HUGE_VALF) || (a != 0 && x == -HUGE_VALF))
ONECARD_FUNCTION(Elu, float, x < 0 ? a * std::expm1(x) : x)
ONECARD_FUNCTION(Selu, float,
                 static_cast<float>(x <= 0 ? static_cast<double>(b) * (static_cast<double>(a) * std::expm1(static_cast<double>(x)))
                                           : static_cast<double>(b) * x))
ONECARD_FUNCTION(Celu, float, x < 0 ? a * std::expm1(x / a) : x)
ONECARD_FUNCTION(Softplus, float, std::fmax(x, 0.0f) + std::log1p(std::exp(-std::fabs(x))))
ONECARD_FUNCTION(Log, float, std::log(x))
ONECARD_FUNCTION(Sin, float, std::sin(x))
ONECARD_FUNCTION(Cos, float, std::cos(x))
ONECARD_FUNCTION(Tan, float, std::tan(x))
ONECARD_FUNCTION(Asin, float, std::asin(x))
ONECARD_FUNCTION(Acos, float, std::acos(x))
ONECARD_FUNCTION(Atan, float, std::atan(x))
ONECARD_FUNCTION(Sinh, float, std::sinh(x))
ONECARD_FUNCTION(Cosh, float, std::cosh(x))
ONECARD_FUNCTION(Asinh, float, std::asinh(x))
ONECARD_FUNCTION(Acosh, float, std::acosh(x))
ONECARD_FUNCTION(Atanh, float, std::atanh(x))
#undef ONECARD_FUNCTION

template <class F>
HWY_ATTR void row(const float* x, void* to, int64_t n, float a, float b) {
  auto* y = static_cast<typename F::Y*>(to);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = F::of(x[i], a, b);
}

// The same for functions written over vectors: F::of(d, x, a).
#define ONECARD_FUNCTION(Name, expression)                                \
  struct Name {                                                           \
    template <class D, class V = hn::Vec<D>>                              \
    static HWY_INLINE HWY_ATTR V of(D d, V x, [[maybe_unused]] float a) { \
      return expression;                                                  \
    }                                                                     \
  };
ONECARD_FUNCTION(Exp, exp_of(d, x))
ONECARD_FUNCTION(Erf, erf_of(d, x))
ONECARD_FUNCTION(Tanh, tanh_of(d, x))
ONECARD_FUNCTION(Sigmoid, sigmoid_of(d, x))
ONECARD_FUNCTION(Silu, hn::Mul(x, sigmoid_of(d, hn::Mul(x, hn::Set(d, a)))))
ONECARD_FUNCTION(Gelu, gelu_of(d, x))
ONECARD_FUNCTION(GeluTanh, gelu_tanh_of(d, x))
ONECARD_FUNCTION(Mish, mish_of(d, x))
ONECARD_FUNCTION(Floor, (static_cast<void>(d), hn::Floor(x)))
ONECARD_FUNCTION(Ceil, (static_cast<void>(d), hn::Ceil(x)))
ONECARD_FUNCTION(Round, (static_cast<void>(d), hn::Round(x)))
#undef ONECARD_FUNCTION

template <class F>
HWY_ATTR void vectors(const float* x, void* to, int64_t n, float a, float) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  auto* y = static_cast<float*>(to);
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + step <= n; i += step) hn::StoreU(F::of(d, hn::LoadU(d, x + i), a), d, y + i);
  for (; i < n; ++i) hn::StoreU(F::of(one, hn::LoadU(one, x + i), a), one, y + i);
}

UnaryRow find_row(Fn fn) {
  switch (fn) {
    case Fn::relu: return row<Relu>;
    case Fn::leaky_relu: return row<LeakyRelu>;
    case Fn::elu: return row<Elu>;
    case Fn::selu: return row<Selu>;
    case Fn::celu: return row<Celu>;
    case Fn::sigmoid: return vectors<Sigmoid>;
    case Fn::hard_sigmoid: return row<HardSigmoid>;
    case Fn::hard_swish: return row<HardSwish>;
    case Fn::tanh: return vectors<Tanh>;
    case Fn::softplus: return row<Softplus>;
    case Fn::softsign: return row<Softsign>;
    case Fn::thresholded_relu: return row<ThresholdedRelu>;
    case Fn::silu: return vectors<Silu>;
    case Fn::gelu: return vectors<Gelu>;
    case Fn::gelu_tanh: return vectors<GeluTanh>;
    case Fn::mish: return vectors<Mish>;
    case Fn::clip: return row<Clip>;
    case Fn::shrink: return row<Shrink>;
    case Fn::abs: return row<Abs>;
    case Fn::neg: return row<Neg>;
    case Fn::sign: return row<Sign>;
    case Fn::floor: return vectors<Floor>;
    case Fn::ceil: return vectors<Ceil>;
    case Fn::round: return vectors<Round>;
    case Fn::exp: return vectors<Exp>;
    case Fn::log: return row<Log>;
    case Fn::sqrt: return row<Sqrt>;
    case Fn::reciprocal: return row<Reciprocal>;
    case Fn::erf: return vectors<Erf>;
    case Fn::sin: return row<Sin>;
    case Fn::cos: return row<Cos>;
    case Fn::tan: return row<Tan>;
    case Fn::asin: return row<Asin>;
    case Fn::acos: return row<Acos>;
    case Fn::atan: return row<Atan>;
    case Fn::sinh: return row<Sinh>;
    case Fn::cosh: return row<Cosh>;
    case Fn::asinh: return row<Asinh>;
    case Fn::acosh: return row<Acosh>;
    case Fn::atanh: return row<Atanh>;
    case Fn::isnan: return row<IsNan>;
    case Fn::isinf: return row<IsInf>;
    case Fn::square: return row<Square>;
    default: return nullptr;
  }
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(find_row);

UnaryRow float_unary_row(Fn fn) { return HWY_DYNAMIC_DISPATCH(find_row)(fn); }

}  // namespace onecard
#endif
