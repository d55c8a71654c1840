#include "lib/ops/fourier.h"

#include <cmath>
#include <cstdint>
#include <numbers>

namespace onecard {

namespace {

using Complex = std::complex<double>;

// exp(sign * 2 pi i k / n), the angle reduced first so that it stays exact for large k.
Complex turn(int64_t k, int64_t n, int sign) { return std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n)); }

void direct(std::vector<Complex>& v, int sign) {
  const auto n = static_cast<int64_t>(v.size());
  std::vector<Complex> turns(v.size()), out(v.size());
  for (int64_t i = 0; i < n; ++i) turns[static_cast<size_t>(i)] = turn(i, n, sign);
  for (int64_t k = 0; k < n; ++k)
    for (int64_t i = 0, at = 0; i < n; ++i, at = (at + k) % n) out[static_cast<size_t>(k)] += v[static_cast<size_t>(i)] * turns[static_cast<size_t>(at)];
  v = std::move(out);
}

}  // namespace

void fourier(std::vector<Complex>& v, int sign) {
  const size_t n = v.size(), half = n / 2;
  if (n <= 1) return;
  if (n % 2 != 0) return direct(v, sign);
  std::vector<Complex> even(half), odd(half);
  for (size_t i = 0; i < half; ++i) even[i] = v[2 * i], odd[i] = v[2 * i + 1];
  fourier(even, sign);
  fourier(odd, sign);
  for (size_t k = 0; k < half; ++k) {
    const Complex t = turn(static_cast<int64_t>(k), static_cast<int64_t>(n), sign) * odd[k];
    v[k] = even[k] + t;
    v[k + half] = even[k] - t;
  }
}

}  // namespace onecard
