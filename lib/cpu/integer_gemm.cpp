#include "lib/cpu/integer_gemm.h"

#include <algorithm>
#include <cstring>

#include "lib/cpu/integer_fours.h"
#include "lib/cpu/vector_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/integer_gemm.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace onecard::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using I16 = hn::ScalableTag<int16_t>;

#if HWY_TARGET == HWY_SCALAR
int64_t panel_columns() { return 2; }

void product(const int16_t* a, int64_t a_stride, int64_t m, int64_t k, const int8_t* panel, int16_t*, int32_t* c) {
  for (int64_t i = 0; i < 2 * m; ++i) {
    c[i] = 0;
    for (int64_t j = 0; j < k; ++j) c[i] += a[i / 2 * a_stride + j] * panel[j / 2 * 4 + i % 2 * 2 + j % 2];
  }
}

int32_t sum_pairs(const int16_t* x, int64_t n) {
  int32_t sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}
#else
using I32 = hn::ScalableTag<int32_t>;
using Sums = hn::Vec<I32>;
using Pairs = hn::Vec<I16>;
// As many rows as leave registers for two vectors of b, one of a and one product.
constexpr int64_t kRows = hn::MaxLanes(I32()) >= 16 ? 12 : 6;
// With fewer rows widening a panel beforehand does not pay.
constexpr int64_t kFewRows = 4;
// A widened piece of a panel stays in the first cache.
constexpr int64_t kPieceElements = 8192;

HWY_INLINE HWY_ATTR int64_t lanes() { return static_cast<int64_t>(hn::Lanes(I32())); }
HWY_ATTR int64_t panel_columns() { return 2 * lanes(); }

// sum + a0 b0 + a1 b1 for each pair of neighbours, as x86 has it: the second accumulator stays unused.
HWY_INLINE HWY_ATTR Sums add_products(Sums sum, Pairs a, Pairs b) {
  const I32 d;
  Sums unused = hn::Zero(d);
  return hn::ReorderWidenMulAccumulate(d, a, b, sum, unused);
}

HWY_INLINE HWY_ATTR Pairs load_pairs(const int16_t* b) { return hn::LoadU(I16(), b); }
HWY_INLINE HWY_ATTR Pairs load_pairs(const int8_t* b) {
  const hn::Rebind<int8_t, I16> d8;
  return hn::PromoteTo(I16(), hn::LoadU(d8, b));
}

HWY_INLINE HWY_ATTR Pairs load_both(const int16_t* a) {
  int32_t both;
  std::memcpy(&both, a, sizeof both);
  return hn::BitCast(I16(), hn::Set(I32(), both));
}

enum class From { zero, sums };

// M rows of a against `pairs` pairs of one panel.
template <int64_t M, class B>
HWY_INLINE HWY_ATTR void block(const int16_t* HWY_RESTRICT a, int64_t a_stride, int64_t pairs, const B* HWY_RESTRICT b, int32_t* HWY_RESTRICT c,
                               From from) {
  const I32 d;
  const int64_t half = lanes(), width = 2 * half;
  Sums sum[M][2];
#pragma GCC unroll 12
  for (int64_t m = 0; m < M; ++m) {
    sum[m][0] = from == From::zero ? hn::Zero(d) : hn::LoadU(d, c + m * width);
    sum[m][1] = from == From::zero ? hn::Zero(d) : hn::LoadU(d, c + m * width + half);
  }
  for (int64_t i = 0; i < pairs; ++i) {
    const Pairs b0 = load_pairs(b + 2 * i * width), b1 = load_pairs(b + 2 * i * width + width);
#pragma GCC unroll 12
    for (int64_t m = 0; m < M; ++m) {
      const Pairs x = load_both(a + m * a_stride + 2 * i);
      sum[m][0] = add_products(sum[m][0], x, b0);
      sum[m][1] = add_products(sum[m][1], x, b1);
    }
  }
#pragma GCC unroll 12
  for (int64_t m = 0; m < M; ++m) {
    hn::StoreU(sum[m][0], d, c + m * width);
    hn::StoreU(sum[m][1], d, c + m * width + half);
  }
}

template <class B>
HWY_ATTR void all_rows(const int16_t* a, int64_t a_stride, int64_t m, int64_t pairs, const B* b, int32_t* c, From from) {
  const int64_t width = panel_columns();
  const auto next = [&](int64_t rows) {
    m -= rows;
    a += rows * a_stride;
    c += rows * width;
  };
  for (; m >= kRows; next(kRows)) block<kRows>(a, a_stride, pairs, b, c, from);
  for (; m >= 4; next(4)) block<4>(a, a_stride, pairs, b, c, from);
  if (m >= 2) {
    block<2>(a, a_stride, pairs, b, c, from);
    next(2);
  }
  if (m == 1) block<1>(a, a_stride, pairs, b, c, from);
}

HWY_ATTR void widen_panel(const int8_t* panel, int64_t n, int16_t* to) {
  const I16 d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < n; i += step) hn::StoreU(load_pairs(panel + i), d, to + i);
}

HWY_ATTR void product(const int16_t* a, int64_t a_stride, int64_t m, int64_t k, const int8_t* panel, int16_t* scratch, int32_t* c) {
  const int64_t width = panel_columns(), pairs = (k + 1) / 2, piece = kPieceElements / (2 * width);
  if (m < kFewRows) return all_rows(a, a_stride, m, pairs, panel, c, From::zero);
  if (pairs == 0) std::fill_n(c, m * width, 0);
  for (int64_t first = 0; first < pairs; first += piece) {
    const int64_t count = std::min(piece, pairs - first);
    widen_panel(panel + first * 2 * width, count * 2 * width, scratch);
    all_rows(a + 2 * first, a_stride, m, count, scratch, c, first == 0 ? From::zero : From::sums);
  }
}

HWY_ATTR int32_t sum_pairs(const int16_t* x, int64_t n) {
  const I16 d;
  const I32 d32;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  const auto ones = hn::Set(d, int16_t{1});
  Sums sums = hn::Zero(d32);
  int64_t i = 0;
  for (; i + step <= n; i += step) sums = add_products(sums, hn::LoadU(d, x + i), ones);
  int32_t sum = hn::GetLane(hn::SumOfLanes(d32, sums));
  for (; i < n; ++i) sum += x[i];
  return sum;
}
#endif

template <class D, class Byte>
HWY_INLINE HWY_ATTR void widen_one(D d, const Byte* x, hn::Vec<D> zero, int16_t* to) {
  const hn::Rebind<Byte, D> d8;
  hn::StoreU(hn::Sub(hn::PromoteTo(d, hn::LoadU(d8, x)), zero), d, to);
}

// The last vector overlaps the one before it, so that nothing beyond the row is touched.
template <class Byte>
HWY_ATTR void widen(const Byte* x, int64_t n, int16_t zero, int16_t* to) {
  const I16 d;
  const hn::CappedTag<int16_t, 8> d8;
  const auto step = static_cast<int64_t>(hn::Lanes(d)), small = static_cast<int64_t>(hn::Lanes(d8));
  const auto zeros = hn::Set(d, zero);
  int64_t i = 0;
  for (; i + step <= n; i += step) widen_one(d, x + i, zeros, to + i);
  if (i == n) return;
  if (n >= step) return widen_one(d, x + n - step, zeros, to + n - step);
  const auto few = hn::Set(d8, zero);
  for (; i + small <= n; i += small) widen_one(d8, x + i, few, to + i);
  if (i == n) return;
  if (n >= small) return widen_one(d8, x + n - small, few, to + n - small);
  for (; i < n; ++i) to[i] = static_cast<int16_t>(x[i] - zero);
}

HWY_ATTR void widen_bytes(const void* x, ByteSign sign, int64_t n, int32_t zero, int16_t* to) {
  if (sign == ByteSign::is_signed) widen(static_cast<const int8_t*>(x), n, static_cast<int16_t>(zero), to);
  else widen(static_cast<const uint8_t*>(x), n, static_cast<int16_t>(zero), to);
}

}  // namespace
}  // namespace onecard::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace onecard {

HWY_EXPORT(panel_columns);
HWY_EXPORT(product);
HWY_EXPORT(widen_bytes);
HWY_EXPORT(sum_pairs);

namespace {

int64_t packed_pairs_bytes(int64_t k, int64_t n) {
  const int64_t width = integer_panel_columns();
  return (n + width - 1) / width * width * (k + k % 2);
}

void pack_pairs(const UnpackedBytes& b, int64_t k, int64_t n, void* packed) {
  const int64_t width = integer_panel_columns(), even = k + k % 2;
  const auto flip = static_cast<uint8_t>(b.sign == ByteSign::is_unsigned ? 0x80 : 0);
  const auto* from = static_cast<const uint8_t*>(b.data);
  auto* to = static_cast<uint8_t*>(packed);
  for (int64_t first = 0; first < n; first += width, to += width * even) {
    const int64_t columns = std::min(width, n - first);
    if (columns < width || even > k) std::memset(to, 0, static_cast<size_t>(width * even));
    for (int64_t j = 0; j < columns; ++j) {
      const uint8_t* column = from + (first + j) * b.column_stride;
      uint8_t* at = to + 2 * j;
      for (int64_t i = 0; i < k; ++i) at[i / 2 * 2 * width + i % 2] = column[i * b.row_stride] ^ flip;
    }
  }
}

}  // namespace

RowForm best_row_form() { return has_fours() ? RowForm::fours : RowForm::pairs; }

int64_t integer_panel_columns() { return HWY_DYNAMIC_DISPATCH(panel_columns)(); }

int64_t packed_integer_bytes(RowForm form, int64_t k, int64_t n) {
  return form == RowForm::fours ? packed_fours_bytes(k, n) : packed_pairs_bytes(k, n);
}

void pack_integers(RowForm form, const UnpackedBytes& b, int64_t k, int64_t n, void* packed) {
  if (form == RowForm::fours) pack_fours(b, k, n, packed);
  else pack_pairs(b, k, n, packed);
}

void put_lines(RowForm form, const ByteLines& x, ByteSign sign, int32_t zero, void* to) {
  if (form == RowForm::fours) return put_lines_of_fours(x, sign, static_cast<uint8_t*>(to));
  for (int64_t l = 0; l < x.count; ++l)
    HWY_DYNAMIC_DISPATCH(widen_bytes)(static_cast<const uint8_t*>(x.data) + l * x.stride, sign, x.n, zero, static_cast<int16_t*>(to) + l * x.n);
}

void put_integers(RowForm form, const void* x, ByteSign sign, int64_t n, int32_t zero, void* to) { put_lines(form, {x, 0, 1, n}, sign, zero, to); }

void put_zeros(RowForm form, int64_t n, int32_t row_zero, void* to) {
  if (form == RowForm::pairs) std::fill_n(static_cast<int16_t*>(to), n, int16_t{0});
  else std::memset(to, row_zero, static_cast<size_t>(n));
}

int64_t left_row_stride(RowForm form, int64_t k) {
  const int64_t line = 64 / element_bytes(form), lines = (k + line - 1) / line;
  return (lines + 1 - lines % 2) * line;
}

int32_t sum_row(RowForm form, const LeftRows& rows, int64_t i, int64_t n) {
  if (form == RowForm::pairs) return HWY_DYNAMIC_DISPATCH(sum_pairs)(static_cast<const int16_t*>(rows.data) + i * rows.stride, n);
  return sum_fours(static_cast<const uint8_t*>(rows.data) + i * rows.stride, n) - static_cast<int32_t>(n) * rows.zero[i];
}

int64_t product_scratch() { return 8192; }

void multiply_integers(RowForm form, const LeftRows& rows, int64_t m, int64_t k, const void* panel, int16_t* scratch, int32_t* c) {
  if (form == RowForm::fours) return multiply_fours(rows, m, k, panel, c);
  HWY_DYNAMIC_DISPATCH(product)(static_cast<const int16_t*>(rows.data), rows.stride, m, k, static_cast<const int8_t*>(panel), scratch, c);
}

}  // namespace onecard
#endif
