#include "lib/cpu/sparse_panels.h"

#include <algorithm>
#include <cstring>

#include "lib/cpu/sparse_loops.h"

namespace onecard {
namespace {

constexpr int64_t kReadAhead = 64;  // bytes that a loop may read behind the last element

int64_t cache_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }
int64_t panels_of(int64_t n) { return (n + kSparseColumns - 1) / kSparseColumns; }
int64_t fours_of(int64_t k) { return (k + 3) / 4; }

// Where the parts of a packed operand lie, in bytes.
struct Parts {
  int64_t starts = 0, sums, bits, values;  // starts: of each panel's elements, counted in elements; sums: of each column (bytes alone)
};
Parts float_parts(int64_t k, int64_t n) {
  const int64_t panels = panels_of(n), bits = cache_lines(panels * 8);
  return {0, bits, bits, cache_lines(bits + panels * k * 2)};
}
Parts byte_parts(int64_t k, int64_t n) {
  const int64_t panels = panels_of(n), sums = cache_lines(panels * 8), bits = sums + panels * kSparseColumns * 4;
  return {0, sums, bits, cache_lines(bits + panels * fours_of(k) * 8)};
}

template <class T>
T* at(void* packed, int64_t offset) {
  return reinterpret_cast<T*>(static_cast<char*>(packed) + offset);
}
template <class T>
const T* at(const void* packed, int64_t offset) {
  return reinterpret_cast<const T*>(static_cast<const char*>(packed) + offset);
}

bool is_zero(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits == 0;  // -0 is kept, as a bundle's bitmap keeps it
}

bool has_avx2() {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt");
#else
  return false;
#endif
}
bool has_avx512() {
#if defined(__x86_64__) && defined(__GNUC__)
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}
bool has_byte_expand() {
#if defined(__x86_64__) && defined(__GNUC__)
  return has_avx512() && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

}  // namespace

SparseTarget sparse_float_target() { return has_avx512() ? SparseTarget::avx512 : has_avx2() ? SparseTarget::avx2 : SparseTarget::none; }
SparseTarget sparse_byte_target() { return has_byte_expand() ? SparseTarget::avx512 : SparseTarget::none; }

int64_t sparse_float_bytes(int64_t k, int64_t n, int64_t nonzeros) { return cache_lines(float_parts(k, n).values + nonzeros * 4) + kReadAhead; }
int64_t sparse_byte_bytes(int64_t k, int64_t n, int64_t nonzeros) { return cache_lines(byte_parts(k, n).values + nonzeros) + kReadAhead; }

void pack_sparse_floats(const float* b, const SparseSource& from, float factor, void* packed) {
  const Parts parts = float_parts(from.k, from.n);
  auto* starts = at<int64_t>(packed, parts.starts);
  auto* bits = at<uint16_t>(packed, parts.bits);
  auto* const values = at<float>(packed, parts.values);
  float* next = values;
  for (int64_t p = 0; p < panels_of(from.n); ++p) {
    starts[p] = next - values;
    const int64_t columns = std::min(kSparseColumns, from.n - p * kSparseColumns);
    for (int64_t i = 0; i < from.k; ++i) {
      unsigned mask = 0;
      for (int64_t j = 0; j < columns; ++j) {
        const float v = b[i * from.row_stride + (p * kSparseColumns + j) * from.column_stride];
        if (is_zero(v)) continue;
        mask |= 1u << j;
        *next++ = v * factor;
      }
      *bits++ = static_cast<uint16_t>(mask);
    }
  }
  std::memset(next, 0, kReadAhead);
}

void pack_sparse_bytes(const int8_t* b, const SparseSource& from, void* packed) {
  const Parts parts = byte_parts(from.k, from.n);
  auto* starts = at<int64_t>(packed, parts.starts);
  auto* sums = at<int32_t>(packed, parts.sums);
  auto* bits = at<uint64_t>(packed, parts.bits);
  auto* const values = at<int8_t>(packed, parts.values);
  int8_t* next = values;
  std::fill_n(sums, panels_of(from.n) * kSparseColumns, 0);
  for (int64_t p = 0; p < panels_of(from.n); ++p) {
    starts[p] = next - values;
    const int64_t columns = std::min(kSparseColumns, from.n - p * kSparseColumns);
    for (int64_t four = 0; four < fours_of(from.k); ++four) {
      uint64_t mask = 0;
      for (int64_t e = 0; e < 4 * columns; ++e) {
        const int64_t i = 4 * four + e % 4, j = p * kSparseColumns + e / 4;
        const int8_t v = i < from.k ? b[i * from.row_stride + j * from.column_stride] : int8_t{0};
        if (v == 0) continue;
        mask |= uint64_t{1} << e;
        *next++ = v;
        sums[j] += v;
      }
      *bits++ = mask;
    }
  }
  std::memset(next, 0, kReadAhead);
}

void multiply_sparse_floats(SparseTarget target, const void* packed, int64_t k, int64_t n, int64_t panel, const float* a, int64_t a_stride,
                            int64_t rows, float* sums) {
  const Parts parts = float_parts(k, n);
  const auto loop = target == SparseTarget::avx512 ? sparse_floats_avx512() : sparse_floats_avx2();
  loop(at<uint16_t>(packed, parts.bits) + panel * k, at<float>(packed, parts.values) + at<int64_t>(packed, parts.starts)[panel], k, a, a_stride, rows,
       sums);
}

void multiply_sparse_bytes(SparseTarget, const void* packed, int64_t k, int64_t n, int64_t panel, const uint8_t* a, int64_t a_stride, int32_t zero,
                           int64_t rows, int32_t* sums, int64_t sums_stride) {
  const Parts parts = byte_parts(k, n);
  const int64_t fours = fours_of(k);
  sparse_bytes_avx512()(at<uint64_t>(packed, parts.bits) + panel * fours, at<int8_t>(packed, parts.values) + at<int64_t>(packed, parts.starts)[panel],
                        fours, a, a_stride, rows, sums, sums_stride);
  const auto* of_columns = at<int32_t>(packed, parts.sums) + panel * kSparseColumns;
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t j = 0; j < kSparseColumns; ++j)
      sums[m * sums_stride + j] =
          static_cast<int32_t>(static_cast<uint32_t>(sums[m * sums_stride + j]) - static_cast<uint32_t>(zero) * static_cast<uint32_t>(of_columns[j]));
}

}  // namespace onecard
