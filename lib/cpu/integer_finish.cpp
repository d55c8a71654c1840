#include "lib/cpu/integer_finish.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/integer_finish.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

namespace onecard {
#ifndef ONECARD_INTEGER_FINISH_ONCE
#define ONECARD_INTEGER_FINISH_ONCE
// The parameters of a tile as its loops want them.
struct TileFinish {
  IntegerFinish finish;
  float least = -std::numeric_limits<float>::infinity(), most = std::numeric_limits<float>::infinity();  // of the activation
  UnaryRow curve = nullptr;                                                                              // an activation that is more than those two
  FinishColumns at;
  FinishRows of;
  FinishPlace place;
  float scale_of(int64_t row) const { return of.scale ? of.scale[row] : 1.0f; }
};
#endif
}  // namespace onecard

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using I32 = hn::ScalableTag<int32_t>;
using Floats = hn::Vec<F32>;
constexpr int64_t kLanes = hn::MaxLanes(F32());

template <class Byte>
HWY_INLINE HWY_ATTR Floats real_bytes(const void* from, int64_t i, const PerTensor& quant) {
  const I32 d;
  const hn::Rebind<Byte, I32> d8;
  const auto stored = hn::PromoteTo(d, hn::LoadU(d8, static_cast<const Byte*>(from) + i));
  return hn::Mul(hn::ConvertTo(F32(), hn::Sub(stored, hn::Set(d, quant.zero))), hn::Set(F32(), quant.scale));
}

HWY_INLINE HWY_ATTR Floats residual_at(const TileFinish& t, const void* from, int64_t i) {
  if (t.finish.residual == DType::f32) return hn::LoadU(F32(), static_cast<const float*>(from) + i);
  if (t.finish.residual == DType::i8) return real_bytes<int8_t>(from, i, t.finish.residual_quant);
  return real_bytes<uint8_t>(from, i, t.finish.residual_quant);
}

// Half to even, saturated before the conversion so that it cannot overflow.
template <class Byte>
HWY_INLINE HWY_ATTR void store_bytes(Floats v, const PerTensor& quant, void* to, int64_t i) {
  const F32 d;
  const auto bound = [&](int32_t limit) HWY_ATTR { return hn::Set(d, static_cast<float>(limit - quant.zero)); };
  const Floats scaled = hn::Div(v, hn::Set(d, quant.scale));
  const Floats inside = hn::Min(bound(std::numeric_limits<Byte>::max()), hn::Max(bound(std::numeric_limits<Byte>::min()), scaled));
  const auto stored = hn::Add(hn::NearestInt(inside), hn::Set(I32(), quant.zero));
  const hn::Rebind<Byte, I32> d8;
  hn::StoreU(hn::DemoteTo(d8, stored), d8, static_cast<Byte*>(to) + i);
}

HWY_INLINE HWY_ATTR void store_at(const TileFinish& t, Floats v, void* to, int64_t i) {
  if (t.finish.y == DType::f32) return hn::StoreU(v, F32(), static_cast<float*>(to) + i);
  if (t.finish.y == DType::i8) return store_bytes<int8_t>(v, t.finish.y_quant, to, i);
  store_bytes<uint8_t>(v, t.finish.y_quant, to, i);
}

// One row of a tile: its sums, that of its left operand and the scale of that one's codes.
struct RowOfSums {
  int32_t* sums;
  int32_t left_sum;
  float scale;
};

HWY_INLINE HWY_ATTR hn::Vec<I32> whole_sum(const TileFinish& t, const int32_t* sums, int32_t row_sum, int64_t j) {
  const I32 d;
  const auto sum = hn::LoadU(d, sums + j);
  return t.at.zero ? hn::Sub(sum, hn::Mul(hn::LoadU(d, t.at.zero + j), hn::Set(d, row_sum))) : sum;
}

HWY_INLINE HWY_ATTR Floats real_sum(const TileFinish& t, const RowOfSums& row, int64_t j) {
  const F32 d;
  const auto sum = whole_sum(t, row.sums, row.left_sum, j);
  const Floats bias = hn::LoadU(d, t.at.bias + j), scale = hn::Mul(hn::LoadU(d, t.at.scale + j), hn::Set(d, row.scale));
  if (t.finish.bias == BiasUnits::sums) return hn::Mul(hn::ConvertTo(d, hn::Add(sum, hn::BitCast(I32(), bias))), scale);
  return hn::MulAdd(hn::ConvertTo(d, sum), scale, bias);
}

HWY_INLINE HWY_ATTR Floats bounded(const TileFinish& t, Floats v) {
  const F32 d;
  return hn::Min(hn::Set(d, t.most), hn::Max(hn::Set(d, t.least), v));  // in this order NaN stays
}

enum class Part { whole, before_curve, after_curve };

// The vector at column j; `residual` and `y` are its row's. A curve needs the whole tile between the two parts.
template <Part P>
HWY_INLINE HWY_ATTR void finish_vector(const TileFinish& t, const RowOfSums& row, int64_t j, const void* residual, void* y, int64_t i) {
  const F32 d;
  auto* reals = reinterpret_cast<float*>(row.sums);
  const bool before = t.finish.order == AddOrder::before_activation;
  Floats v = P == Part::after_curve ? hn::LoadU(d, reals + j) : real_sum(t, row, j);
  if (P != Part::after_curve && residual && before) v = hn::Add(v, residual_at(t, residual, i));
  if (P == Part::before_curve) return hn::StoreU(v, d, reals + j);
  if (P == Part::whole) v = bounded(t, v);
  if (residual && !before) v = hn::Add(v, residual_at(t, residual, i));
  store_at(t, v, y, i);
}

template <Part P>
HWY_ATTR void finish_rows(const TileFinish& t, int32_t* tile, int64_t rows, int64_t columns) {
  constexpr int64_t kWidest = kLanes * static_cast<int64_t>(sizeof(float));
  const auto lanes = static_cast<int64_t>(hn::Lanes(F32())), width = 2 * lanes;
  const int64_t y_width = info(t.finish.y).bits / 8, r_width = info(t.finish.residual).bits / 8;
  for (int64_t m = 0; m < rows; ++m, tile += width) {
    auto* y = static_cast<char*>(t.place.y) + m * t.place.stride * y_width;
    const auto* residual = t.place.residual ? static_cast<const char*>(t.place.residual) + m * t.place.stride * r_width : nullptr;
    const RowOfSums row{tile, t.of.sums ? t.of.sums[m] : 0, t.scale_of(m)};
    int64_t j = 0;
    for (; j + lanes <= columns; j += lanes) finish_vector<P>(t, row, j, residual, y, j);
    if (j == columns) continue;
    const auto rest = static_cast<size_t>(columns - j);
    alignas(64) char residual_edge[kWidest] = {}, y_edge[kWidest];
    if (residual) std::memcpy(residual_edge, residual + j * r_width, rest * static_cast<size_t>(r_width));
    finish_vector<P>(t, row, j, residual ? residual_edge : nullptr, y_edge, 0);
    if (P != Part::before_curve) std::memcpy(y + j * y_width, y_edge, rest * static_cast<size_t>(y_width));
  }
}

HWY_ATTR void store_sums(const TileFinish& t, int32_t* tile, int64_t rows, int64_t columns) {
  const I32 d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d)), width = 2 * lanes;
  for (int64_t m = 0; m < rows; ++m, tile += width) {
    for (int64_t j = 0; t.at.zero && j < columns; j += lanes) hn::StoreU(whole_sum(t, tile, t.of.sums[m], j), d, tile + j);
    std::memcpy(static_cast<int32_t*>(t.place.y) + m * t.place.stride, tile, static_cast<size_t>(columns) * sizeof(int32_t));
  }
}

#if HWY_TARGET != HWY_SCALAR
// The common end, whole vectors with constants in registers: everything is counted in steps of y, so that one multiplication, one pair of
// bounds and one rounding are all; a residual before the activation at most.
template <class Y, class R>
HWY_ATTR void finish_panel(const TileFinish& t, const int32_t* tile, int64_t rows, int64_t columns) {
  const F32 d;
  const I32 d32;
  constexpr bool kBytes = sizeof(Y) == 1;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const PerTensor yq = kBytes ? t.finish.y_quant : PerTensor{1, 0}, rq = t.finish.residual_quant;
  const Floats per_step = hn::Set(d, 1 / yq.scale);
  const Floats scale0 = hn::Mul(hn::LoadU(d, t.at.scale), per_step), scale1 = hn::Mul(hn::LoadU(d, t.at.scale + lanes), per_step);
  // A bias of sums joins them, a real one what they are worth; the other is 0.
  const bool real = t.finish.bias == BiasUnits::real;
  const auto real_bias = [&](int64_t at) HWY_ATTR { return real ? hn::Mul(hn::LoadU(d, t.at.bias + at), per_step) : hn::Zero(d); };
  const auto sum_bias = [&](int64_t at) HWY_ATTR { return real ? hn::Zero(d32) : hn::BitCast(d32, hn::LoadU(d, t.at.bias + at)); };
  const Floats bias0 = real_bias(0), bias1 = real_bias(lanes);
  const auto more0 = sum_bias(0), more1 = sum_bias(lanes);
  float least = t.least / yq.scale, most = t.most / yq.scale;
  if constexpr (kBytes) {
    least = std::max(least, static_cast<float>(std::numeric_limits<Y>::min() - yq.zero));
    most = std::max(least, std::min(most, static_cast<float>(std::numeric_limits<Y>::max() - yq.zero)));
  }
  const Floats low = hn::Set(d, least), high = hn::Set(d, most), r_scale = hn::Set(d, rq.scale / yq.scale);
  const auto y_zero = hn::Set(d32, yq.zero), r_zero = hn::Set(d32, rq.zero);
  const auto one = [&](const int32_t* sums, Floats scale, Floats bias, hn::Vec<I32> more, const R* residual, Y* y) HWY_ATTR {
    Floats v = hn::MulAdd(hn::ConvertTo(d, hn::Add(hn::LoadU(d32, sums), more)), scale, bias);
    if constexpr (std::is_same_v<R, float>) v = hn::MulAdd(hn::LoadU(d, residual), r_scale, v);
    else if constexpr (!std::is_void_v<R>)
      v = hn::MulAdd(hn::ConvertTo(d, hn::Sub(hn::PromoteTo(d32, hn::LoadU(hn::Rebind<R, I32>(), residual)), r_zero)), r_scale, v);
    v = hn::Min(high, hn::Max(low, v));
    if constexpr (kBytes) {
      // The bounds are whole numbers in Y, so adding this rounds half to even and leaves the integer in the lowest byte.
      constexpr float kRounds = 12582912.0f;  // 1.5 * 2^23
      const hn::RebindToUnsigned<I32> u32;
      const hn::Rebind<uint8_t, I32> to;
      const auto whole = hn::Add(hn::BitCast(d32, hn::Add(v, hn::Set(d, kRounds))), y_zero);
      hn::StoreU(hn::TruncateTo(to, hn::BitCast(u32, whole)), to, reinterpret_cast<uint8_t*>(y));
    } else {
      hn::StoreU(v, d, y);
    }
  };
  auto* y = static_cast<Y*>(t.place.y);
  const auto* residual = static_cast<const R*>(t.place.residual);
  const auto from = [&](int64_t i) -> const R* {
    if constexpr (std::is_void_v<R>) return nullptr;
    else return residual + i;
  };
  for (int64_t m = 0, at = 0; m < rows; ++m, at += t.place.stride, tile += 2 * lanes) {
    const auto of_row = [&](Floats scale) HWY_ATTR { return t.of.scale ? hn::Mul(scale, hn::Set(d, t.of.scale[m])) : scale; };
    one(tile, of_row(scale0), bias0, more0, from(at), y + at);
    if (columns > lanes) one(tile + lanes, of_row(scale1), bias1, more1, from(at + lanes), y + at + lanes);
  }
}

template <class Y>
HWY_ATTR void finish_panel_of(const TileFinish& t, const int32_t* tile, int64_t rows, int64_t columns) {
  if (!t.place.residual) return finish_panel<Y, void>(t, tile, rows, columns);
  if (t.finish.residual == DType::f32) return finish_panel<Y, float>(t, tile, rows, columns);
  if (t.finish.residual == DType::i8) return finish_panel<Y, int8_t>(t, tile, rows, columns);
  finish_panel<Y, uint8_t>(t, tile, rows, columns);
}

HWY_ATTR bool finish_fast(const TileFinish& t, const int32_t* tile, int64_t rows, int64_t columns) {
  const bool common = !t.curve && !t.at.zero && columns % static_cast<int64_t>(hn::Lanes(F32())) == 0;
  if (!common || (t.place.residual && t.finish.order == AddOrder::after_activation)) return false;
  if (t.finish.y == DType::f32) finish_panel_of<float>(t, tile, rows, columns);
  else if (t.finish.y == DType::i8) finish_panel_of<int8_t>(t, tile, rows, columns);
  else finish_panel_of<uint8_t>(t, tile, rows, columns);
  return true;
}
#else
bool finish_fast(const TileFinish&, const int32_t*, int64_t, int64_t) { return false; }
#endif

HWY_ATTR void finish_all(const TileFinish& t, int32_t* tile, int64_t rows, int64_t columns) {
  if (t.finish.y == DType::i32) return store_sums(t, tile, rows, columns);
  if (finish_fast(t, tile, rows, columns)) return;
  if (!t.curve) return finish_rows<Part::whole>(t, tile, rows, columns);
  finish_rows<Part::before_curve>(t, tile, rows, columns);
  auto* reals = reinterpret_cast<float*>(tile);
  t.curve(reals, reals, rows * 2 * static_cast<int64_t>(hn::Lanes(F32())), t.finish.activation.alpha, t.finish.activation.beta);
  finish_rows<Part::after_curve>(t, tile, rows, columns);
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(finish_all);

Support integer_finish_fits(const KernelQuery& q, const Activation& activation, size_t residual_input) {
  const TensorType& y = q.out[0];
  if (y.quant ? !per_tensor(y) : y.dtype != DType::f32) return no("y is neither f32 nor i8 or u8 quantized per tensor: " + y.text());
  if (!activation.is_identity() && !float_unary_row(activation.fn))
    return no("no code for " + std::string(kFnNames[static_cast<size_t>(activation.fn)]) + " after integer sums");
  if (!q.has(residual_input)) return yes();
  const TensorType& r = q.in[residual_input];
  if (r.shape != y.shape) return no("residual " + r.text() + " is not of the output's shape");
  if (r.quant ? !per_tensor(r) : r.dtype != DType::f32) return no("residual " + r.text() + " is neither f32 nor quantized per tensor");
  return yes();
}

IntegerFinish integer_finish(const KernelQuery& q, const Activation& activation, AddOrder order, size_t residual_input) {
  IntegerFinish f;
  f.y = q.out[0].dtype;
  f.y_quant = per_tensor(q.out[0]).value_or(PerTensor{1, 0});
  f.activation = activation;
  f.order = order;
  if (!q.has(residual_input)) return f;
  f.residual = q.in[residual_input].dtype;
  f.residual_quant = per_tensor(q.in[residual_input]).value_or(PerTensor{1, 0});
  return f;
}

void finish_tile(const IntegerFinish& finish, const FinishColumns& at, const FinishRows& of, int32_t* tile, int64_t rows, int64_t columns,
                 const FinishPlace& place) {
  TileFinish t;
  t.finish = finish;
  t.at = at;
  t.of = of;
  t.place = place;
  if (finish.activation.fn == Fn::relu) t.least = 0;
  else if (finish.activation.fn == Fn::clip) t.least = finish.activation.alpha, t.most = finish.activation.beta;
  else if (!finish.activation.is_identity()) t.curve = float_unary_row(finish.activation.fn);
  HWY_DYNAMIC_DISPATCH(finish_all)(t, tile, rows, columns);
}

}  // namespace onecard
#endif
