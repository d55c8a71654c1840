// Vectorized f32 functions; included once per instruction set.
#if defined(ONECARD_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ONECARD_VECTOR_MATH_INL_H_
#undef ONECARD_VECTOR_MATH_INL_H_
#else
#define ONECARD_VECTOR_MATH_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// e^x within 2e-7 of its value; NaN stays, out of range becomes 0 or infinity. Reduction and polynomial of Cephes' expf.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V exp_of(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V clamped = hn::Min(hn::Max(x, hn::Set(d, -104.0f)), hn::Set(d, 89.0f));
  const V n = hn::Round(hn::Mul(clamped, hn::Set(d, 1.44269504088896341f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), clamped);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 1.9875691500e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  // 2^n in two factors, so that neither leaves the range before the product does.
  const auto whole = hn::ConvertTo(di, n);
  const auto half = hn::ShiftRight<1>(whole);
  const auto power = [&](auto e) HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(e, hn::Set(di, 127)))); };
  const V y = hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(whole, half)));
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V sigmoid_of(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp_of(d, hn::Neg(x))));
}

// Cephes' tanhf: a polynomial near zero, by e^(2|x|) elsewhere.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V tanh_of(D d, V x) {
  const V one = hn::Set(d, 1.0f), magnitude = hn::Abs(x), z = hn::Mul(x, x);
  V p = hn::Set(d, -5.70498872745e-3f);
  p = hn::MulAdd(p, z, hn::Set(d, 2.06390887954e-2f));
  p = hn::MulAdd(p, z, hn::Set(d, -5.37397155531e-2f));
  p = hn::MulAdd(p, z, hn::Set(d, 1.33314422036e-1f));
  p = hn::MulAdd(p, z, hn::Set(d, -3.33332819422e-1f));
  const V small = hn::MulAdd(hn::Mul(p, z), x, x);
  const V e = exp_of(d, hn::Add(magnitude, magnitude));
  const V large = hn::CopySign(hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(e, one))), x);
  return hn::IfThenElse(hn::Eq(x, x), hn::IfThenElse(hn::Lt(magnitude, hn::Set(d, 0.625f)), small, large), x);
}

// Cephes' erff: an odd polynomial below 1, 1 - erfc beyond.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V erf_of(D d, V x) {
  const auto polynomial = [&](V at, auto... c) HWY_ATTR {
    V p = hn::Zero(d);
    ((p = hn::MulAdd(p, at, hn::Set(d, c))), ...);
    return p;
  };
  const V one = hn::Set(d, 1.0f), a = hn::Abs(x), z = hn::Mul(x, x);
  const V small = hn::Mul(x, polynomial(z, 7.853861353153693e-5f, -8.010193625184903e-4f, 5.188327685732524e-3f, -2.685381193529856e-2f,
                                        1.128358514861418e-1f, -3.761262582423300e-1f, 1.128379165726710e+0f));
  const V q = hn::Div(one, hn::Max(a, hn::Set(d, 0.5f))), y = hn::Mul(q, q);
  const V below_two = polynomial(y, 2.326819970068386e-2f, -1.387039388740657e-1f, 3.687424674597105e-1f, -5.824733027278666e-1f,
                                 6.210004621745983e-1f, -4.944515323274145e-1f, 3.404879937665872e-1f, -2.741127028184656e-1f, 5.638259427386472e-1f);
  const V above_two = polynomial(y, -1.047766399936249e+1f, 1.297719955372516e+1f, -7.495518717768503e+0f, 2.921019019210786e+0f,
                                 -1.015265279202700e+0f, 4.218463358204948e-1f, -2.820767439740514e-1f, 5.641895067754075e-1f);
  const V tail = hn::Mul(hn::Mul(exp_of(d, hn::Neg(z)), q), hn::IfThenElse(hn::Lt(a, hn::Set(d, 2.0f)), below_two, above_two));
  const V large = hn::CopySign(hn::Sub(one, tail), x);
  return hn::IfThenElse(hn::Eq(x, x), hn::IfThenElse(hn::Lt(a, one), small, large), x);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V gelu_of(D d, V x) {
  const V half = hn::Mul(x, hn::Set(d, 0.5f));
  return hn::MulAdd(half, erf_of(d, hn::Mul(x, hn::Set(d, 0.70710678118654752f))), half);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V gelu_tanh_of(D d, V x) {
  const V half = hn::Mul(x, hn::Set(d, 0.5f)), cube = hn::Mul(hn::Mul(x, x), hn::Mul(x, hn::Set(d, 0.044715f)));
  return hn::MulAdd(half, tanh_of(d, hn::Mul(hn::Add(x, cube), hn::Set(d, 0.79788456080286536f))), half);
}

// x tanh(log(1 + e^x)) = x w / (w + 2) with w = e^x (e^x + 2); beyond 20 the factor is 1.
template <class D, class V = hn::Vec<D>>
HWY_INLINE HWY_ATTR V mish_of(D d, V x) {
  const V two = hn::Set(d, 2.0f), e = exp_of(d, hn::Min(hn::Set(d, 20.0f), x)), w = hn::Mul(e, hn::Add(e, two));
  return hn::Mul(x, hn::Div(w, hn::Add(w, two)));
}

}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
