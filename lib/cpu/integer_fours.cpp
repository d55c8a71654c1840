#include "lib/cpu/integer_fours.h"

#include <algorithm>
#include <cstring>

#include "lib/base/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define ONECARD_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#endif

namespace onecard {
namespace {

constexpr int64_t kWidth = 32;         // columns of a panel: two vectors
constexpr int64_t kStep = 4 * kWidth;  // bytes of a panel for four of k

int64_t fours_of(int64_t k) { return (k + 3) / 4; }
int64_t panel_bytes(int64_t k) { return fours_of(k) * kStep + kWidth * static_cast<int64_t>(sizeof(int32_t)); }

}  // namespace

int64_t packed_fours_bytes(int64_t k, int64_t n) { return (n + kWidth - 1) / kWidth * panel_bytes(k); }

void pack_fours(const UnpackedBytes& b, int64_t k, int64_t n, void* packed) {
  const auto flip = static_cast<uint8_t>(b.sign == ByteSign::is_unsigned ? 0x80 : 0);
  const auto* from = static_cast<const uint8_t*>(b.data);
  auto* to = static_cast<uint8_t*>(packed);
  for (int64_t first = 0; first < n; first += kWidth, to += panel_bytes(k)) {
    int32_t sums[kWidth] = {};
    std::memset(to, 0, static_cast<size_t>(panel_bytes(k)));
    for (int64_t j = 0; j < std::min(kWidth, n - first); ++j) {
      const uint8_t* column = from + (first + j) * b.column_stride;
      for (int64_t i = 0; i < k; ++i) {
        const auto byte = static_cast<uint8_t>(column[i * b.row_stride] ^ flip);
        to[i / 4 * kStep + 4 * j + i % 4] = byte;
        sums[j] += static_cast<int8_t>(byte);
      }
    }
    std::memcpy(to + fours_of(k) * kStep, sums, sizeof sums);
  }
}

#if defined(__x86_64__)
namespace {

constexpr int64_t kMostRows = 12;  // with two vectors of b and one of a in 32 registers

ONECARD_VNNI inline __m512i load_four(const uint8_t* a) {
  int32_t four;
  std::memcpy(&four, a, sizeof four);
  return _mm512_set1_epi32(four);
}

// The sums less zero times those of the panel's columns.
ONECARD_VNNI inline void store_row(__m512i low, __m512i high, int32_t zero, const int32_t* columns, int32_t* c) {
  if (zero == 0) {
    _mm512_storeu_si512(c, low);
    _mm512_storeu_si512(c + 16, high);
    return;
  }
  const __m512i z = _mm512_set1_epi32(zero);
  _mm512_storeu_si512(c, _mm512_sub_epi32(low, _mm512_mullo_epi32(z, _mm512_loadu_si512(columns))));
  _mm512_storeu_si512(c + 16, _mm512_sub_epi32(high, _mm512_mullo_epi32(z, _mm512_loadu_si512(columns + 16))));
}

// The next panel follows this one and is wanted next: each block of rows brings a part of it nearer.
inline void fetch_lines(const int8_t* from, int64_t lines) {
  for (int64_t l = 0; l < lines; ++l) _mm_prefetch(reinterpret_cast<const char*>(from) + l * 64, _MM_HINT_T1);
}

// M rows against one panel, the sums in registers all along.
template <int64_t M>
ONECARD_VNNI void block(const uint8_t* a, int64_t stride, const int32_t* zero, int64_t fours, const int8_t* b, int32_t* c) {
  __m512i low[M], high[M];
#pragma GCC unroll 12  // or the zeros are written to memory and read back
  for (int64_t m = 0; m < M; ++m) low[m] = high[m] = _mm512_setzero_si512();
  for (int64_t i = 0; i < fours; ++i) {
    const __m512i b0 = _mm512_loadu_si512(b + i * kStep), b1 = _mm512_loadu_si512(b + i * kStep + kStep / 2);
#pragma GCC unroll 12
    for (int64_t m = 0; m < M; ++m) {
      const __m512i x = load_four(a + m * stride + 4 * i);
      low[m] = _mm512_dpbusd_epi32(low[m], x, b0);
      high[m] = _mm512_dpbusd_epi32(high[m], x, b1);
    }
  }
  const auto* columns = reinterpret_cast<const int32_t*>(b + fours * kStep);
#pragma GCC unroll 12
  for (int64_t m = 0; m < M; ++m) store_row(low[m], high[m], zero[m], columns, c + m * kWidth);
}

// One row: several sums for each column, which do not wait for one another.
ONECARD_VNNI void one_row(const uint8_t* a, int64_t, const int32_t* zero, int64_t fours, const int8_t* b, int32_t* c) {
  __m512i low[4], high[4];
#pragma GCC unroll 4
  for (int64_t s = 0; s < 4; ++s) low[s] = high[s] = _mm512_setzero_si512();
  int64_t i = 0;
  for (; i + 4 <= fours; i += 4, a += 16, b += 4 * kStep) {
#pragma GCC unroll 4
    for (int64_t s = 0; s < 4; ++s) {
      const __m512i x = load_four(a + 4 * s);
      low[s] = _mm512_dpbusd_epi32(low[s], x, _mm512_loadu_si512(b + s * kStep));
      high[s] = _mm512_dpbusd_epi32(high[s], x, _mm512_loadu_si512(b + s * kStep + kStep / 2));
    }
  }
  for (; i < fours; ++i, a += 4, b += kStep) {
    low[0] = _mm512_dpbusd_epi32(low[0], load_four(a), _mm512_loadu_si512(b));
    high[0] = _mm512_dpbusd_epi32(high[0], load_four(a), _mm512_loadu_si512(b + kStep / 2));
  }
  const __m512i lows = _mm512_add_epi32(_mm512_add_epi32(low[0], low[1]), _mm512_add_epi32(low[2], low[3]));
  const __m512i highs = _mm512_add_epi32(_mm512_add_epi32(high[0], high[1]), _mm512_add_epi32(high[2], high[3]));
  store_row(lows, highs, *zero, reinterpret_cast<const int32_t*>(b), c);
}

// By the number of rows.
using Block = void (*)(const uint8_t* a, int64_t stride, const int32_t* zero, int64_t fours, const int8_t* b, int32_t* c);
constexpr Block kBlocks[kMostRows + 1] = {nullptr,  one_row,  block<2>, block<3>,  block<4>,  block<5>, block<6>,
                                          block<7>, block<8>, block<9>, block<10>, block<11>, block<12>};

}  // namespace

bool has_fours() {
  static const bool has = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return has && integer_panel_columns() == kWidth;
}

ONECARD_VNNI int32_t sum_fours(const uint8_t* x, int64_t n) {
  __m512i sums = _mm512_setzero_si512();
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) sums = _mm512_add_epi64(sums, _mm512_sad_epu8(_mm512_loadu_si512(x + i), _mm512_setzero_si512()));
  int64_t parts[8];
  _mm512_storeu_si512(parts, sums);
  int64_t sum = 0;
  for (const int64_t part : parts) sum += part;
  for (; i < n; ++i) sum += x[i];
  return static_cast<int32_t>(sum);
}

// Windows are made of many short lines: a masked end needs no loop over what is left.
ONECARD_VNNI void put_lines_of_fours(const ByteLines& x, ByteSign sign, uint8_t* to) {
  const __m512i flip = _mm512_set1_epi8(sign == ByteSign::is_signed ? -0x80 : 0);
  const __mmask64 rest = (uint64_t{1} << (x.n % 64)) - 1;
  const auto* from = static_cast<const uint8_t*>(x.data);
  for (int64_t l = 0; l < x.count; ++l, from += x.stride, to += x.n) {
    int64_t i = 0;
    for (; i + 64 <= x.n; i += 64) _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), flip));
    if (i < x.n) _mm512_mask_storeu_epi8(to + i, rest, _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, from + i), flip));
  }
}

ONECARD_VNNI void multiply_fours(const LeftRows& rows, int64_t m, int64_t k, const void* panel, int32_t* c) {
  const auto* a = static_cast<const uint8_t*>(rows.data);
  const auto* b = static_cast<const int8_t*>(panel);
  const int64_t fours = fours_of(k);
  // Blocks of rows as equal as they can be: a few rows alone would wait for their own sums.
  const int64_t blocks = (m + kMostRows - 1) / kMostRows,
                lines = (panel_bytes(k) / 64 + std::max<int64_t>(blocks, 1) - 1) / std::max<int64_t>(blocks, 1);
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t i = m * block / blocks, count = m * (block + 1) / blocks - i;
    fetch_lines(b + panel_bytes(k) + block * lines * 64, lines);
    kBlocks[count](a + i * rows.stride, rows.stride, rows.zero + i, fours, b, c + i * kWidth);
  }
}
#else
bool has_fours() { return false; }
int32_t sum_fours(const uint8_t*, int64_t) { fail(ErrorKind::internal, "no such instructions"); }
void put_lines_of_fours(const ByteLines&, ByteSign, uint8_t*) { fail(ErrorKind::internal, "no such instructions"); }
void multiply_fours(const LeftRows&, int64_t, int64_t, const void*, int32_t*) { fail(ErrorKind::internal, "no such instructions"); }
#endif

}  // namespace onecard
