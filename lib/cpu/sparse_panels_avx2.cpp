// Panels without zeros, with AVX2: a table of 256 says for 8 bits which packed element goes where.
#include "lib/cpu/sparse_loops.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#include <array>
#include <bit>

#define ONECARD_FLOATS __attribute__((target("avx2,fma,popcnt")))

namespace onecard {
namespace {

// By the bits: for each of 8 places the packed element it gets, or 0x80 where none.
constexpr auto kPlaces = [] {
  std::array<std::array<uint8_t, 8>, 256> t{};
  for (size_t bits = 0; bits < 256; ++bits) {
    uint8_t next = 0;
    for (size_t i = 0; i < 8; ++i) t[bits][i] = bits >> i & 1 ? next++ : uint8_t{0x80};
  }
  return t;
}();

ONECARD_FLOATS inline __m256 expanded(unsigned bits, const float* v) {
  const __m256i place = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(kPlaces[bits].data())));
  const __m256 moved = _mm256_permutevar8x32_ps(_mm256_loadu_ps(v), place);
  return _mm256_blendv_ps(moved, _mm256_setzero_ps(), _mm256_castsi256_ps(place));  // the sign bit of a place without an element is set
}

template <int M>
ONECARD_FLOATS void floats(const uint16_t* bits, const float* v, int64_t k, const float* a, int64_t a_stride, float* sums) {
  constexpr int kStreams = M == 1 ? 2 : 1;
  __m256 sum[M][kStreams][2];
  for (auto& row : sum)
    for (auto& s : row) s[0] = s[1] = _mm256_setzero_ps();
  const auto step = [&](int64_t i, int u) ONECARD_FLOATS {
    const unsigned low = bits[i] & 255u, high = bits[i] >> 8u;
    const __m256 w0 = expanded(low, v);
    v += std::popcount(low);
    const __m256 w1 = expanded(high, v);
    v += std::popcount(high);
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) {
      const __m256 x = _mm256_set1_ps(a[m * a_stride + i]);
      sum[m][u][0] = _mm256_fmadd_ps(w0, x, sum[m][u][0]);
      sum[m][u][1] = _mm256_fmadd_ps(w1, x, sum[m][u][1]);
    }
  };
  int64_t i = 0;
  for (; i + kStreams <= k; i += kStreams) {
#pragma GCC unroll 2
    for (int u = 0; u < kStreams; ++u) step(i + u, u);
  }
  for (; i < k; ++i) step(i, 0);
  for (int m = 0; m < M; ++m)
    for (int half = 0; half < 2; ++half) {
      for (int u = 1; u < kStreams; ++u) sum[m][0][half] = _mm256_add_ps(sum[m][0][half], sum[m][u][half]);
      _mm256_storeu_ps(sums + m * 16 + half * 8, sum[m][0][half]);
    }
}

void all_floats(const uint16_t* bits, const float* v, int64_t k, const float* a, int64_t a_stride, int64_t rows, float* sums) {
  const auto next = [&](int64_t done) { rows -= done, a += done * a_stride, sums += done * 16; };
  for (; rows >= 4; next(4)) floats<4>(bits, v, k, a, a_stride, sums);
  if (rows >= 2) floats<2>(bits, v, k, a, a_stride, sums), next(2);
  if (rows >= 1) floats<1>(bits, v, k, a, a_stride, sums);
}

}  // namespace

SparseFloatLoop sparse_floats_avx2() { return all_floats; }

}  // namespace onecard
#else
namespace onecard {
SparseFloatLoop sparse_floats_avx2() { return nullptr; }
}  // namespace onecard
#endif
