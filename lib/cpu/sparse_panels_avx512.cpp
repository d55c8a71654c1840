// Panels without zeros, with AVX-512: an expand puts 16 floats, or 64 bytes (VBMI2), where their bits say.
#include "lib/cpu/sparse_loops.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include <bit>
#include <cstring>

#define ONECARD_FLOATS __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,popcnt")))
#define ONECARD_BYTES __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512vbmi2,avx512vnni,popcnt")))

namespace onecard {
namespace {

// Neighbouring k go to sums of their own where few rows would leave the multipliers waiting for one another.
constexpr int streams_of(int rows) { return rows <= 2 ? 4 : rows == 4 ? 2 : 1; }

template <int M>
ONECARD_FLOATS void floats(const uint16_t* bits, const float* v, int64_t k, const float* a, int64_t a_stride, float* sums) {
  constexpr int kStreams = streams_of(M);
  __m512 sum[M][kStreams];
  for (auto& row : sum)
    for (auto& s : row) s = _mm512_setzero_ps();
  const auto step = [&](int64_t i, int u) ONECARD_FLOATS {
    const __mmask16 mask = bits[i];
    const __m512 w = _mm512_maskz_expand_ps(mask, _mm512_loadu_ps(v));
    v += std::popcount(bits[i]);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) sum[m][u] = _mm512_fmadd_ps(w, _mm512_set1_ps(a[m * a_stride + i]), sum[m][u]);
  };
  int64_t i = 0;
  for (; i + kStreams <= k; i += kStreams) {
#pragma GCC unroll 4
    for (int u = 0; u < kStreams; ++u) step(i + u, u);
  }
  for (; i < k; ++i) step(i, 0);
  for (int m = 0; m < M; ++m) {
    for (int u = 1; u < kStreams; ++u) sum[m][0] = _mm512_add_ps(sum[m][0], sum[m][u]);
    _mm512_storeu_ps(sums + m * 16, sum[m][0]);
  }
}

template <int M>
ONECARD_BYTES void bytes(const uint64_t* bits, const int8_t* v, int64_t fours, const uint8_t* a, int64_t a_stride, int32_t* sums,
                         int64_t sums_stride) {
  constexpr int kStreams = streams_of(M);
  __m512i sum[M][kStreams];
  for (auto& row : sum)
    for (auto& s : row) s = _mm512_setzero_si512();
  const auto step = [&](int64_t i, int u) ONECARD_BYTES {
    const __m512i w = _mm512_maskz_expand_epi8(bits[i], _mm512_loadu_si512(v));
    v += std::popcount(bits[i]);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      int32_t four;
      std::memcpy(&four, a + m * a_stride + 4 * i, sizeof four);
      sum[m][u] = _mm512_dpbusd_epi32(sum[m][u], _mm512_set1_epi32(four), w);
    }
  };
  int64_t i = 0;
  for (; i + kStreams <= fours; i += kStreams) {
#pragma GCC unroll 4
    for (int u = 0; u < kStreams; ++u) step(i + u, u);
  }
  for (; i < fours; ++i) step(i, 0);
  for (int m = 0; m < M; ++m) {
    for (int u = 1; u < kStreams; ++u) sum[m][0] = _mm512_add_epi32(sum[m][0], sum[m][u]);
    _mm512_storeu_si512(sums + m * sums_stride, sum[m][0]);
  }
}

void all_floats(const uint16_t* bits, const float* v, int64_t k, const float* a, int64_t a_stride, int64_t rows, float* sums) {
  const auto next = [&](int64_t done) { rows -= done, a += done * a_stride, sums += done * 16; };
  for (; rows >= 8; next(8)) floats<8>(bits, v, k, a, a_stride, sums);
  if (rows >= 4) floats<4>(bits, v, k, a, a_stride, sums), next(4);
  if (rows >= 2) floats<2>(bits, v, k, a, a_stride, sums), next(2);
  if (rows >= 1) floats<1>(bits, v, k, a, a_stride, sums);
}

void all_bytes(const uint64_t* bits, const int8_t* v, int64_t fours, const uint8_t* a, int64_t a_stride, int64_t rows, int32_t* sums,
               int64_t sums_stride) {
  const auto next = [&](int64_t done) { rows -= done, a += done * a_stride, sums += done * sums_stride; };
  for (; rows >= 8; next(8)) bytes<8>(bits, v, fours, a, a_stride, sums, sums_stride);
  if (rows >= 4) bytes<4>(bits, v, fours, a, a_stride, sums, sums_stride), next(4);
  if (rows >= 2) bytes<2>(bits, v, fours, a, a_stride, sums, sums_stride), next(2);
  if (rows >= 1) bytes<1>(bits, v, fours, a, a_stride, sums, sums_stride);
}

}  // namespace

SparseFloatLoop sparse_floats_avx512() { return all_floats; }
SparseByteLoop sparse_bytes_avx512() { return all_bytes; }

}  // namespace onecard
#else
namespace onecard {
SparseFloatLoop sparse_floats_avx512() { return nullptr; }
SparseByteLoop sparse_bytes_avx512() { return nullptr; }
}  // namespace onecard
#endif
