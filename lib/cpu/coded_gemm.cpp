#include "lib/cpu/coded_gemm.h"

#include <algorithm>

#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/coded_gemm.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::Rebind<int32_t, F32>;
using Floats = hn::Vec<F32>;
using Bytes = hn::Rebind<uint8_t, F32>;
using Chars = hn::Rebind<int8_t, F32>;

HWY_INLINE HWY_ATTR int64_t lanes() { return static_cast<int64_t>(hn::Lanes(F32())); }

// The codes of one k of a panel as floats, its two halves.
struct Pair {
  Floats low, high;
};
struct Nibbles {
  static HWY_INLINE HWY_ATTR Pair load(const uint8_t* at) {
    const F32 d;
    const auto both = hn::PromoteTo(I32(), hn::LoadU(Bytes(), at));
    return {hn::ConvertTo(d, hn::And(both, hn::Set(I32(), 15))), hn::ConvertTo(d, hn::ShiftRight<4>(both))};
  }
};
template <class Byte, class D>
struct Wholes {
  static HWY_INLINE HWY_ATTR Pair load(const uint8_t* at) {
    const F32 d;
    const auto* bytes = reinterpret_cast<const Byte*>(at);
    return {hn::ConvertTo(d, hn::PromoteTo(I32(), hn::LoadU(D(), bytes))), hn::ConvertTo(d, hn::PromoteTo(I32(), hn::LoadU(D(), bytes + lanes())))};
  }
};
using SignedBytes = Wholes<int8_t, Chars>;
using UnsignedBytes = Wholes<uint8_t, Bytes>;

// Scales and zero points of one block of a panel.
HWY_INLINE HWY_ATTR Pair scales_of(const CodedForm& form, const uint8_t* head) {
  const F32 d;
  if (!form.halves) {
    const auto* at = reinterpret_cast<const float*>(head);
    return {hn::LoadU(d, at), hn::LoadU(d, at + lanes())};
  }
  const hn::Rebind<hwy::float16_t, F32> half;
  const auto* at = reinterpret_cast<const hwy::float16_t*>(head);
  return {hn::PromoteTo(d, hn::LoadU(half, at)), hn::PromoteTo(d, hn::LoadU(half, at + lanes()))};
}
HWY_INLINE HWY_ATTR Pair zeros_of(const CodedForm& form, const uint8_t* head) {
  if (form.zeros) return UnsignedBytes::load(head + 2 * lanes() * (form.halves ? 2 : 4));
  const Floats zero = hn::Set(F32(), static_cast<float>(form.zero));
  return {zero, zero};
}

// M rows against one panel. One row keeps two sums of each half in flight.
template <int64_t M, class Codes>
HWY_ATTR void rows(const CodedForm& form, const uint8_t* panel, const float* HWY_RESTRICT a, int64_t a_stride, const float* sums, float factor,
                   float* HWY_RESTRICT c) {
  const F32 d;
  constexpr int64_t kInFlight = M == 1 ? 2 : 1;
  const int64_t half = lanes(), row_bytes = form.row_bytes(), blocks = form.blocks();
  Floats total[M][2];
#pragma GCC unroll 4
  for (int64_t m = 0; m < M; ++m) total[m][0] = total[m][1] = hn::Zero(d);
  for (int64_t b = 0; b < blocks; ++b) {
    const uint8_t* head = panel;
    const uint8_t* codes = panel + form.head_bytes();
    const int64_t first = b * form.block, count = std::min(form.block, form.k - first);
    Floats sum[M][2][kInFlight];
#pragma GCC unroll 4
    for (int64_t m = 0; m < M; ++m)
#pragma GCC unroll 2
      for (int64_t f = 0; f < kInFlight; ++f) sum[m][0][f] = sum[m][1][f] = hn::Zero(d);
    int64_t i = 0;
    for (; i + kInFlight <= count; i += kInFlight) {
#pragma GCC unroll 2
      for (int64_t f = 0; f < kInFlight; ++f) {
        const Pair w = Codes::load(codes + (i + f) * row_bytes);
#pragma GCC unroll 4
        for (int64_t m = 0; m < M; ++m) {
          const Floats x = hn::Set(d, a[m * a_stride + first + i + f]);
          sum[m][0][f] = hn::MulAdd(x, w.low, sum[m][0][f]);
          sum[m][1][f] = hn::MulAdd(x, w.high, sum[m][1][f]);
        }
      }
    }
    for (; i < count; ++i) {
      const Pair w = Codes::load(codes + i * row_bytes);
#pragma GCC unroll 4
      for (int64_t m = 0; m < M; ++m) {
        const Floats x = hn::Set(d, a[m * a_stride + first + i]);
        sum[m][0][0] = hn::MulAdd(x, w.low, sum[m][0][0]);
        sum[m][1][0] = hn::MulAdd(x, w.high, sum[m][1][0]);
      }
    }
    const Pair scale = scales_of(form, head);
    const Pair zero = sums ? zeros_of(form, head) : Pair{hn::Zero(d), hn::Zero(d)};
#pragma GCC unroll 4
    for (int64_t m = 0; m < M; ++m) {
      Floats low = sum[m][0][0], high = sum[m][1][0];
      if constexpr (kInFlight == 2) low = hn::Add(low, sum[m][0][1]), high = hn::Add(high, sum[m][1][1]);
      if (sums) {
        const Floats x = hn::Set(d, sums[m * blocks + b]);
        low = hn::NegMulAdd(x, zero.low, low);
        high = hn::NegMulAdd(x, zero.high, high);
      }
      total[m][0] = hn::MulAdd(low, scale.low, total[m][0]);
      total[m][1] = hn::MulAdd(high, scale.high, total[m][1]);
    }
    panel = codes + count * row_bytes;
  }
  const Floats times = hn::Set(d, factor);
#pragma GCC unroll 4
  for (int64_t m = 0; m < M; ++m) {
    hn::StoreU(hn::Mul(times, total[m][0]), d, c + m * 2 * half);
    hn::StoreU(hn::Mul(times, total[m][1]), d, c + m * 2 * half + half);
  }
}

template <class Codes>
HWY_ATTR void any_rows(const CodedForm& form, const uint8_t* panel, const float* a, int64_t a_stride, int64_t m, const float* sums, float factor,
                       float* c) {
  switch (m) {
    case 1: return rows<1, Codes>(form, panel, a, a_stride, sums, factor, c);
    case 2: return rows<2, Codes>(form, panel, a, a_stride, sums, factor, c);
    case 3: return rows<3, Codes>(form, panel, a, a_stride, sums, factor, c);
    default: return rows<4, Codes>(form, panel, a, a_stride, sums, factor, c);
  }
}

HWY_ATTR void multiply_rows(const CodedForm& form, const uint8_t* panel, const float* a, int64_t a_stride, int64_t m, const float* sums, float factor,
                            float* c) {
  if (form.bits == 4) any_rows<Nibbles>(form, panel, a, a_stride, m, sums, factor, c);
  else if (form.is_signed) any_rows<SignedBytes>(form, panel, a, a_stride, m, sums, factor, c);
  else any_rows<UnsignedBytes>(form, panel, a, a_stride, m, sums, factor, c);
}

template <class Codes>
HWY_ATTR void decode_any(const CodedForm& form, const uint8_t* panel, int64_t first, int64_t count, float factor, float* to) {
  const F32 d;
  const int64_t half = lanes(), row_bytes = form.row_bytes();
  const Floats times = hn::Set(d, factor);
  for (int64_t k = first; k < first + count;) {
    const int64_t b = k / form.block, within = k % form.block;
    const uint8_t* head = panel + b * (form.head_bytes() + form.block * row_bytes);
    const Pair scale = scales_of(form, head), zero = zeros_of(form, head);
    const Floats low_scale = hn::Mul(times, scale.low), high_scale = hn::Mul(times, scale.high);
    const uint8_t* codes = head + form.head_bytes() + within * row_bytes;
    const int64_t here = std::min(form.block - within, first + count - k);
    for (int64_t j = 0; j < here; ++j, to += 2 * half) {
      const Pair w = Codes::load(codes + j * row_bytes);
      hn::StoreU(hn::Mul(hn::Sub(w.low, zero.low), low_scale), d, to);
      hn::StoreU(hn::Mul(hn::Sub(w.high, zero.high), high_scale), d, to + half);
    }
    k += here;
  }
}

HWY_ATTR void decode(const CodedForm& form, const uint8_t* panel, int64_t first, int64_t count, float factor, float* to) {
  if (form.bits == 4) decode_any<Nibbles>(form, panel, first, count, factor, to);
  else if (form.is_signed) decode_any<SignedBytes>(form, panel, first, count, factor, to);
  else decode_any<UnsignedBytes>(form, panel, first, count, factor, to);
}

HWY_ATTR void sum_blocks(const CodedForm& form, const float* a, int64_t a_stride, int64_t m, float* sums) {
  const F32 d;
  for (int64_t r = 0; r < m; ++r)
    for (int64_t b = 0; b < form.blocks(); ++b) {
      const float* at = a + r * a_stride + b * form.block;
      const int64_t count = std::min(form.block, form.k - b * form.block), step = lanes();
      Floats sum = hn::Zero(d);
      int64_t i = 0;
      for (; i + step <= count; i += step) sum = hn::Add(sum, hn::LoadU(d, at + i));
      float whole = hn::GetLane(hn::SumOfLanes(d, sum));
      for (; i < count; ++i) whole += at[i];
      sums[r * form.blocks() + b] = whole;
    }
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(multiply_rows);
HWY_EXPORT(decode);
HWY_EXPORT(sum_blocks);

void block_sums(const CodedForm& form, const float* a, int64_t a_stride, int64_t m, float* sums) {
  HWY_DYNAMIC_DISPATCH(sum_blocks)(form, a, a_stride, m, sums);
}
void coded_rows(const CodedForm& form, const std::byte* panel, const float* a, int64_t a_stride, int64_t m, const float* sums, float factor,
                float* c) {
  HWY_DYNAMIC_DISPATCH(multiply_rows)(form, reinterpret_cast<const uint8_t*>(panel), a, a_stride, m, sums, factor, c);
}
void decode_rows(const CodedForm& form, const std::byte* panel, int64_t first, int64_t count, float factor, float* to) {
  HWY_DYNAMIC_DISPATCH(decode)(form, reinterpret_cast<const uint8_t*>(panel), first, count, factor, to);
}

}  // namespace onecard
#endif
