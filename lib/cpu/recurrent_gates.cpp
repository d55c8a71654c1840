#include "lib/cpu/recurrent_gates.h"

#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/recurrent_gates.cpp"
#include "hwy/foreach_target.h"

#include "lib/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

template <class D>
HWY_INLINE HWY_ATTR void lstm_at(D d, const float* gates, int64_t n, int64_t j, float* c, float* h) {
  const auto i = sigmoid_of(d, hn::LoadU(d, gates + j)), o = sigmoid_of(d, hn::LoadU(d, gates + n + j)),
             f = sigmoid_of(d, hn::LoadU(d, gates + 2 * n + j));
  const auto g = tanh_of(d, hn::LoadU(d, gates + 3 * n + j));
  const auto cell = hn::MulAdd(f, hn::LoadU(d, c + j), hn::Mul(i, g));
  hn::StoreU(cell, d, c + j);
  hn::StoreU(hn::Mul(o, tanh_of(d, cell)), d, h + j);
}

HWY_ATTR void lstm(const float* gates, int64_t n, float* c, float* h) {
  const hn::ScalableTag<float> d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + step <= n; j += step) lstm_at(d, gates, n, j, c, h);
  for (; j < n; ++j) lstm_at(hn::CappedTag<float, 1>(), gates, n, j, c, h);
}

template <class D>
HWY_INLINE HWY_ATTR void reset_at(D d, const float* gates, int64_t n, int64_t j, const float* h, float* kept) {
  hn::StoreU(hn::Mul(sigmoid_of(d, hn::LoadU(d, gates + n + j)), hn::LoadU(d, h + j)), d, kept + j);
}

HWY_ATTR void reset(const float* gates, int64_t n, const float* h, float* kept) {
  const hn::ScalableTag<float> d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + step <= n; j += step) reset_at(d, gates, n, j, h, kept);
  for (; j < n; ++j) reset_at(hn::CappedTag<float, 1>(), gates, n, j, h, kept);
}

template <class D>
HWY_INLINE HWY_ATTR void update_at(D d, const float* gates, int64_t n, int64_t j, const float* linear, float* h) {
  const auto z = sigmoid_of(d, hn::LoadU(d, gates + j));
  auto sum = hn::LoadU(d, gates + 2 * n + j);
  if (linear) sum = hn::MulAdd(sigmoid_of(d, hn::LoadU(d, gates + n + j)), hn::LoadU(d, linear + j), sum);
  const auto fresh = tanh_of(d, sum);
  // (1 - z) fresh + z h
  hn::StoreU(hn::MulAdd(z, hn::Sub(hn::LoadU(d, h + j), fresh), fresh), d, h + j);
}

HWY_ATTR void update(const float* gates, int64_t n, const float* linear, float* h) {
  const hn::ScalableTag<float> d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + step <= n; j += step) update_at(d, gates, n, j, linear, h);
  for (; j < n; ++j) update_at(hn::CappedTag<float, 1>(), gates, n, j, linear, h);
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(lstm);
HWY_EXPORT(reset);
HWY_EXPORT(update);

void lstm_gates(const float* gates, int64_t n, float* c, float* h) { HWY_DYNAMIC_DISPATCH(lstm)(gates, n, c, h); }
void gru_reset(const float* gates, int64_t n, const float* h, float* kept) { HWY_DYNAMIC_DISPATCH(reset)(gates, n, h, kept); }
void gru_update(const float* gates, int64_t n, const float* linear, float* h) { HWY_DYNAMIC_DISPATCH(update)(gates, n, linear, h); }

}  // namespace onecard
#endif
