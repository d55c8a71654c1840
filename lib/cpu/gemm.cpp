#include "lib/cpu/gemm.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/gemm.cpp"
#include "hwy/foreach_target.h"

#include "lib/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

using F32 = hn::ScalableTag<float>;
using Floats = hn::Vec<F32>;
// Wide registers: 12 rows by 2 vectors fill AVX-512's 32; 6 by 2 AVX2's 16.
constexpr int64_t kRows = hn::MaxLanes(F32()) >= 16 ? 12 : 6;

HWY_INLINE HWY_ATTR int64_t lanes() { return static_cast<int64_t>(hn::Lanes(F32())); }

HWY_ATTR int64_t panel_width() { return 2 * lanes(); }

// panel[i * width + j] = from[j * stride + i], four by four.
HWY_ATTR void pack_turned(const float* from, int64_t stride, int64_t k, int64_t columns, int64_t width, float* panel) {
  int64_t j = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::CappedTag<float, 4> d;
  for (; j + 4 <= columns; j += 4) {
    const float *r0 = from + j * stride, *r1 = r0 + stride, *r2 = r1 + stride, *r3 = r2 + stride;
    int64_t i = 0;
    for (; i + 4 <= k; i += 4) {
      const auto a = hn::LoadU(d, r0 + i), b = hn::LoadU(d, r1 + i), c = hn::LoadU(d, r2 + i), e = hn::LoadU(d, r3 + i);
      const auto ab_low = hn::InterleaveLower(d, a, b), ab_high = hn::InterleaveUpper(d, a, b);
      const auto ce_low = hn::InterleaveLower(d, c, e), ce_high = hn::InterleaveUpper(d, c, e);
      float* to = panel + i * width + j;
      hn::StoreU(hn::ConcatLowerLower(d, ce_low, ab_low), d, to);
      hn::StoreU(hn::ConcatUpperUpper(d, ce_low, ab_low), d, to + width);
      hn::StoreU(hn::ConcatLowerLower(d, ce_high, ab_high), d, to + 2 * width);
      hn::StoreU(hn::ConcatUpperUpper(d, ce_high, ab_high), d, to + 3 * width);
    }
    for (; i < k; ++i) {
      float* to = panel + i * width + j;
      to[0] = r0[i], to[1] = r1[i], to[2] = r2[i], to[3] = r3[i];
    }
  }
#endif
  for (; j < columns; ++j)
    for (int64_t i = 0; i < k; ++i) panel[i * width + j] = from[j * stride + i];
}

HWY_ATTR void pack(const float* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, float* packed) {
  const int64_t width = panel_width();
  for (int64_t first = 0; first < n; first += width) {
    const int64_t columns = std::min(width, n - first);
    float* panel = packed + first * k;
    const float* from = b + first * column_stride;
    if (columns < width) std::memset(panel, 0, static_cast<size_t>(width * k) * sizeof(float));
    if (column_stride == 1) {
      for (int64_t i = 0; i < k; ++i) std::memcpy(panel + i * width, from + i * row_stride, static_cast<size_t>(columns) * sizeof(float));
      continue;
    }
    if (row_stride == 1) pack_turned(from, column_stride, k, columns, width, panel);
    else
      for (int64_t i = 0; i < k; ++i)
        for (int64_t j = 0; j < columns; ++j) panel[i * width + j] = from[i * row_stride + j * column_stride];
  }
}

// M rows of a against P neighbouring panels; columns past `n` of the last one are not stored.
template <int64_t M, int64_t P>
HWY_INLINE HWY_ATTR void block(const float* HWY_RESTRICT a, int64_t a_stride, int64_t k, const float* HWY_RESTRICT panel, int64_t n, float* c,
                               int64_t c_stride, Into into) {
  const F32 d;
  const int64_t half = lanes(), width = 2 * half;
  Floats sum[M][2 * P];
#pragma GCC unroll 12
  for (int64_t m = 0; m < M; ++m) {
#pragma GCC unroll 8
    for (int64_t p = 0; p < 2 * P; ++p) sum[m][p] = hn::Zero(d);
  }
  for (int64_t i = 0; i < k; ++i) {
    Floats b[2 * P];
#pragma GCC unroll 8
    for (int64_t p = 0; p < 2 * P; ++p) b[p] = hn::LoadU(d, panel + (p / 2) * width * k + i * width + (p % 2) * half);
#pragma GCC unroll 12
    for (int64_t m = 0; m < M; ++m) {
      const Floats x = hn::Set(d, a[m * a_stride + i]);
#pragma GCC unroll 8
      for (int64_t p = 0; p < 2 * P; ++p) sum[m][p] = hn::MulAdd(x, b[p], sum[m][p]);
    }
  }
  float edge[2 * P * hn::MaxLanes(F32())];
#pragma GCC unroll 12
  for (int64_t m = 0; m < M; ++m) {
    float* row = c + m * c_stride;
    if (n >= P * width) {
#pragma GCC unroll 8
      for (int64_t p = 0; p < 2 * P; ++p)
        hn::StoreU(into == Into::add ? hn::Add(sum[m][p], hn::LoadU(d, row + p * half)) : sum[m][p], d, row + p * half);
    } else {
#pragma GCC unroll 8
      for (int64_t p = 0; p < 2 * P; ++p) hn::StoreU(sum[m][p], d, edge + p * half);
      for (int64_t j = 0; j < n; ++j) row[j] = into == Into::add ? row[j] + edge[j] : edge[j];
    }
  }
}

// Few rows: as many panels at a time as keep enough sums in flight.
template <int64_t M, int64_t P>
HWY_ATTR void few_rows(const float* a, int64_t a_stride, int64_t k, const float* packed, int64_t n, float* c, int64_t c_stride, Into into) {
  const int64_t width = panel_width();
  int64_t j = 0;
  for (; n - j > (P - 1) * width; j += P * width) block<M, P>(a, a_stride, k, packed + j * k, n - j, c + j, c_stride, into);
  for (; j < n; j += width) block<M, 1>(a, a_stride, k, packed + j * k, n - j, c + j, c_stride, into);
}

HWY_ATTR void rows_below(int64_t m, const float* a, int64_t a_stride, int64_t k, const float* packed, int64_t n, float* c, int64_t c_stride,
                         Into into) {
  for (; m >= 4; m -= 4, a += 4 * a_stride, c += 4 * c_stride) few_rows<4, 1>(a, a_stride, k, packed, n, c, c_stride, into);
  if (m >= 2) {
    few_rows<2, kRows == 12 ? 4 : 2>(a, a_stride, k, packed, n, c, c_stride, into);
    m -= 2, a += 2 * a_stride, c += 2 * c_stride;
  }
  if (m == 1) few_rows<1, kRows == 12 ? 4 : 2>(a, a_stride, k, packed, n, c, c_stride, into);
}

HWY_ATTR void product(const float* a, int64_t a_stride, int64_t m, int64_t k, const float* packed, int64_t n, float* c, int64_t c_stride, Into into) {
  const int64_t width = panel_width(), whole = m / kRows * kRows;
  for (int64_t j = 0; whole > 0 && j < n; j += width)
    for (int64_t i = 0; i < whole; i += kRows)
      block<kRows, 1>(a + i * a_stride, a_stride, k, packed + j * k, n - j, c + i * c_stride + j, c_stride, into);
  rows_below(m - whole, a + whole * a_stride, a_stride, k, packed, n, c + whole * c_stride, c_stride, into);
}

// scale * x + bias in place; returns the largest, NaN if there is one.
HWY_INLINE HWY_ATTR float scaled_max(float* x, int64_t n, float scale, const float* bias, int64_t bias_step) {
  const F32 d;
  const int64_t step = lanes();
  const Floats factor = hn::Set(d, scale), addend = hn::Set(d, bias ? *bias : 0.0f);
  Floats most = hn::Set(d, -std::numeric_limits<float>::infinity()), odd = hn::Zero(d);
  int64_t i = 0;
  for (; i + step <= n; i += step) {
    const Floats v = hn::MulAdd(factor, hn::LoadU(d, x + i), bias_step ? hn::LoadU(d, bias + i) : addend);
    hn::StoreU(v, d, x + i);
    odd = hn::IfThenElse(hn::Eq(v, v), odd, v);
    most = hn::Max(most, v);
  }
  float best = hn::GetLane(hn::MaxOfLanes(d, most));
  if (!hn::AllTrue(d, hn::Eq(odd, odd))) best = std::numeric_limits<float>::quiet_NaN();
  for (; i < n; ++i) {
    x[i] = scale * x[i] + (bias ? bias[i * bias_step] : 0.0f);
    best = x[i] > best || x[i] != x[i] ? x[i] : best;
  }
  return best;
}

HWY_ATTR void softmax_all(float* x, int64_t stride, int64_t rows, int64_t n, float scale, const SoftmaxBias& bias) {
  const F32 d;
  const int64_t step = lanes();
  for (int64_t r = 0; r < rows; ++r, x += stride) {
    const float best = scaled_max(x, n, scale, bias.data ? bias.data + r * bias.row_stride : nullptr, bias.data ? bias.step : 0);
    const Floats most = hn::Set(d, best);
    Floats sums = hn::Zero(d);
    int64_t i = 0;
    for (; i + step <= n; i += step) {
      const Floats e = exp_of(d, hn::Sub(hn::LoadU(d, x + i), most));
      hn::StoreU(e, d, x + i);
      sums = hn::Add(sums, e);
    }
    float sum = hn::GetLane(hn::SumOfLanes(d, sums));
    if (i < n) {
      float edge[hn::MaxLanes(F32())] = {};
      std::memcpy(edge, x + i, static_cast<size_t>(n - i) * sizeof(float));
      hn::StoreU(exp_of(d, hn::Sub(hn::LoadU(d, edge), most)), d, edge);
      for (int64_t j = 0; j < n - i; ++j) sum += edge[j];
      std::memcpy(x + i, edge, static_cast<size_t>(n - i) * sizeof(float));
    }
    const float share = 1 / sum;
    const Floats shares = hn::Set(d, share);
    for (i = 0; i + step <= n; i += step) hn::StoreU(hn::Mul(shares, hn::LoadU(d, x + i)), d, x + i);
    for (; i < n; ++i) x[i] *= share;
  }
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(panel_width);
HWY_EXPORT(pack);
HWY_EXPORT(product);
HWY_EXPORT(softmax_all);

int64_t panel_columns() { return HWY_DYNAMIC_DISPATCH(panel_width)(); }
int64_t packed_floats(int64_t k, int64_t n) {
  const int64_t width = panel_columns();
  return (n + width - 1) / width * width * k;
}
void pack_columns(const float* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, float* packed) {
  HWY_DYNAMIC_DISPATCH(pack)(b, row_stride, column_stride, k, n, packed);
}
void multiply(const float* a, int64_t a_stride, int64_t m, int64_t k, const float* packed, int64_t n, float* c, int64_t c_stride, Into into) {
  HWY_DYNAMIC_DISPATCH(product)(a, a_stride, m, k, packed, n, c, c_stride, into);
}
void softmax_rows(float* x, int64_t stride, int64_t rows, int64_t n, float scale, const SoftmaxBias& bias) {
  HWY_DYNAMIC_DISPATCH(softmax_all)(x, stride, rows, n, scale, bias);
}

}  // namespace onecard
#endif
