#include "lib/cpu/integer_depthwise.h"

#include <algorithm>
#include <cstring>

#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/integer_depthwise.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR
template <class Byte>
void multiply_all(const DepthwisePanel& panel, const uint8_t* const* at, int64_t pixels, int32_t* tile) {
  constexpr int64_t kWidth = 2;
  for (int64_t m = 0; m < pixels; ++m, at += panel.positions, tile += kWidth)
    for (int64_t c = 0; c < kWidth; ++c) {
      tile[c] = 0;
      for (int64_t p = 0; c < panel.channels && p < panel.positions; ++p)
        if (at[p]) tile[c] += (static_cast<Byte>(at[p][panel.channel + c]) - panel.zero) * panel.packed[p / 2 * 2 * kWidth + 2 * c + p % 2];
    }
}
#else
using I32 = hn::ScalableTag<int32_t>;
using I16 = hn::ScalableTag<int16_t>;

// Products of pairs of int16 summed: two positions of one channel lie side by side.
HWY_INLINE HWY_ATTR hn::Vec<I32> add_products(hn::Vec<I32> sum, hn::Vec<I16> a, hn::Vec<I16> b) {
  const I32 d;
  hn::Vec<I32> unused = hn::Zero(d);
  return hn::ReorderWidenMulAccumulate(d, a, b, sum, unused);
}

template <class Byte>
HWY_INLINE HWY_ATTR hn::Vec<I16> load(const DepthwisePanel& panel, const uint8_t* at, hn::Vec<I16> zero) {
  const I16 d;
  const hn::Rebind<Byte, I16> d8;
  if (!at) return hn::Zero(d);
  alignas(64) uint8_t edge[hn::MaxLanes(I16())];
  const uint8_t* from = at + panel.channel;
  if (panel.channels < static_cast<int64_t>(hn::Lanes(d))) {
    std::memset(edge, 0, sizeof edge);
    std::memcpy(edge, from, static_cast<size_t>(panel.channels));
    from = edge;
  }
  return hn::Sub(hn::PromoteTo(d, hn::LoadU(d8, reinterpret_cast<const Byte*>(from))), zero);
}

template <class Byte>
HWY_ATTR void multiply_all(const DepthwisePanel& panel, const uint8_t* const* at, int64_t pixels, int32_t* tile) {
  const I16 d;
  const I32 d32;
  const auto width = static_cast<int64_t>(hn::Lanes(d)), half = width / 2, pairs = (panel.positions + 1) / 2;
  const auto zero = hn::Set(d, static_cast<int16_t>(panel.zero));
  alignas(64) int32_t low[hn::MaxLanes(I32())], high[hn::MaxLanes(I32())];
  for (int64_t m = 0; m < pixels; ++m, at += panel.positions, tile += width) {
    auto low_sums = hn::Zero(d32), high_sums = hn::Zero(d32);
    const int16_t* weights = panel.packed;
    for (int64_t i = 0; i < pairs; ++i, weights += 2 * width) {
      const auto first = load<Byte>(panel, at[2 * i], zero);
      const auto second = load<Byte>(panel, 2 * i + 1 < panel.positions ? at[2 * i + 1] : nullptr, zero);
      low_sums = add_products(low_sums, hn::InterleaveLower(d, first, second), hn::LoadU(d, weights));
      high_sums = add_products(high_sums, hn::InterleaveUpper(d, first, second), hn::LoadU(d, weights + width));
    }
    hn::StoreU(low_sums, d32, low);
    hn::StoreU(high_sums, d32, high);
    // Interleaving works within blocks of 16 bytes: low and high alternate in pieces of four sums.
    for (int64_t j = 0; j < half; j += 4) {
      std::memcpy(tile + 2 * j, low + j, 4 * sizeof(int32_t));
      std::memcpy(tile + 2 * j + 4, high + j, 4 * sizeof(int32_t));
    }
  }
}

#endif

HWY_ATTR void multiply(const DepthwisePanel& panel, const uint8_t* const* at, int64_t pixels, int32_t* tile) {
  if (panel.sign == ByteSign::is_signed) multiply_all<int8_t>(panel, at, pixels, tile);
  else multiply_all<uint8_t>(panel, at, pixels, tile);
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(multiply);

int64_t depthwise_panel(int64_t positions) { return (positions + 1) / 2 * 2 * integer_panel_columns(); }

void pack_depthwise(const int16_t* weights, int64_t channels, int64_t positions, int16_t* packed) {
  const int64_t width = integer_panel_columns();
  std::fill_n(packed, depthwise_panel(positions), int16_t{0});
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t p = 0; p < positions; ++p) {
      const int64_t block = c / 8, in_block = c % 8, part = in_block / 4;  // channels of eight: four in the low vector, four in the high one
      packed[(p / 2 * 2 + part) * width + block * 8 + in_block % 4 * 2 + p % 2] = weights[c * positions + p];
    }
}

void multiply_depthwise(const DepthwisePanel& panel, const uint8_t* const* at, int64_t pixels, int32_t* tile) {
  HWY_DYNAMIC_DISPATCH(multiply)(panel, at, pixels, tile);
}

}  // namespace onecard
#endif
