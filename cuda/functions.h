#pragma once
#include <cmath>

#include "cuda/anywhere.h"
#include "lib/ops/activation.h"

namespace onecard::cuda {

ANYWHERE inline float sigmoid(float x) { return x >= 0 ? 1 / (1 + expf(-x)) : expf(x) / (1 + expf(x)); }
ANYWHERE inline float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }
// Keeps NaN.
ANYWHERE inline float clip(float x, float low, float high) {
  const float y = x < low ? low : x;
  return y > high ? high : y;
}

// f(x) for the functions on real numbers: lib/ops/activation.h in f32.
ANYWHERE inline float apply_float(const Activation& f, float x) {
  const float a = f.alpha, b = f.beta;
  switch (f.fn) {
    case Fn::relu: return x < 0 ? 0 : x;
    case Fn::leaky_relu: return x < 0 ? a * x : x;
    case Fn::elu: return x < 0 ? a * expm1f(x) : x;
    case Fn::selu: return x <= 0 ? b * (a * expm1f(x)) : b * x;
    case Fn::celu: return x < 0 ? a * expm1f(x / a) : x;
    case Fn::sigmoid: return sigmoid(x);
    case Fn::hard_sigmoid: return clip(a * x + b, 0, 1);
    case Fn::hard_swish: return x * clip(x / 6 + 0.5f, 0, 1);
    case Fn::tanh: return tanhf(x);
    case Fn::softplus: return softplus(x);
    case Fn::softsign: return x / (1 + fabsf(x));
    case Fn::thresholded_relu: return x > a ? x : 0;
    case Fn::mish: return x * tanhf(softplus(x));
    case Fn::gelu: return 0.5f * x * (1 + erff(x * 0.70710678f));
    case Fn::gelu_tanh: return 0.5f * x * (1 + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
    case Fn::silu: return x * sigmoid(a * x);
    case Fn::clip: return clip(x, a, b);
    case Fn::shrink: return x < -a ? x + b : x > a ? x - b : 0;
    case Fn::abs: return fabsf(x);
    case Fn::neg: return -x;
    case Fn::sign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case Fn::floor: return floorf(x);
    case Fn::ceil: return ceilf(x);
    case Fn::round: return rintf(x);
    case Fn::exp: return expf(x);
    case Fn::log: return logf(x);
    case Fn::sqrt: return sqrtf(x);
    case Fn::reciprocal: return 1 / x;
    case Fn::erf: return erff(x);
    case Fn::sin: return sinf(x);
    case Fn::cos: return cosf(x);
    case Fn::tan: return tanf(x);
    case Fn::asin: return asinf(x);
    case Fn::acos: return acosf(x);
    case Fn::atan: return atanf(x);
    case Fn::sinh: return sinhf(x);
    case Fn::cosh: return coshf(x);
    case Fn::asinh: return asinhf(x);
    case Fn::acosh: return acoshf(x);
    case Fn::atanh: return atanhf(x);
    case Fn::square: return x * x;
    default: return x;
  }
}

// Arithmetic modulo 2^bits.
template <class T>
ANYWHERE T wrapped(uint64_t v) { return static_cast<T>(v); }

// f(x) for the functions that are exact on integers.
template <class T>
ANYWHERE T apply_integer(Fn f, T x) {
  const auto u = static_cast<uint64_t>(x);
  switch (f) {
    case Fn::relu: return x > 0 ? x : T{0};
    case Fn::abs: return x > 0 ? x : wrapped<T>(0 - u);
    case Fn::neg: return wrapped<T>(0 - u);
    case Fn::sign: return x > 0 ? T{1} : x == 0 ? T{0} : wrapped<T>(~uint64_t{0});
    case Fn::bitwise_not: return wrapped<T>(~u);
    case Fn::square: return wrapped<T>(u * u);
    default: return x;
  }
}

}  // namespace onecard::cuda
