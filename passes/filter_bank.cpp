#include "passes/filter_bank.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lib/ops/arithmetic.h"
#include "lib/ops/conv.h"
#include "lib/ops/conv_transpose.h"
#include "lib/ops/matmul.h"

namespace onecard {

namespace {

constexpr int64_t kShortestTone = 64, kLongestTone = 4096, kSmallestBank = 256;
constexpr int64_t kFewestFilters = 8, kLookedAt = 24;
constexpr double kPure = 0.9, kMostlyPure = 0.85;  // of a filter's energy in one peak; of the filters
constexpr int64_t kPeakBins = 5;
constexpr int64_t kShortestWave = 8, kLongestWave = 1024, kColumnsLookedAt = 48;
constexpr double kWaveRest = 1e-5;                 // of the power of a column: what rounding to 16 bits leaves

// Whether no element is negative: what training made is, and is found out at its first elements.
bool never_negative(const Tensor& w) {
  bool never = true;
  visit_float(w.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto values = w.data<T>();
    never = std::none_of(values.begin(), values.end(), [](const T& v) { return !(static_cast<float>(v) >= 0); });
  });
  return never;
}

bool has_bands(const std::vector<double>& w) {
  const auto zeros = std::count(w.begin(), w.end(), 0.0);
  return static_cast<int64_t>(w.size()) >= kSmallestBank && zeros * 4 >= static_cast<int64_t>(w.size()) && zeros < static_cast<int64_t>(w.size()) &&
         std::all_of(w.begin(), w.end(), [](double v) { return v >= 0; });
}

// Whether most of the energy of the real signal lies in a few neighbouring frequencies, not the lowest: a tone under a window.
bool is_tone(const double* x, int64_t length) {
  std::vector<double> power;
  double total = 0;
  for (int64_t k = 0; k <= length / 2; ++k) {
    double re = 0, im = 0;
    const double step = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(length);
    for (int64_t i = 0; i < length; ++i) {
      re += x[i] * std::cos(step * static_cast<double>(i));
      im += x[i] * std::sin(step * static_cast<double>(i));
    }
    power.push_back((re * re + im * im) * (k == 0 || 2 * k == length ? 1 : 2));
    total += power.back();
  }
  double best = 0;
  for (size_t k = 0; k < power.size(); ++k) {
    double peak = 0;
    for (size_t j = k; j < std::min(power.size(), k + kPeakBins); ++j) peak += power[j];
    best = std::max(best, peak);
  }
  return total > 0 && best >= kPure * total;
}

bool has_tones(const std::vector<double>& w, int64_t filters, int64_t length) {
  if (filters < kFewestFilters || length < kShortestTone || length > kLongestTone) return false;
  int64_t seen = 0, pure = 0, silent = 0;
  for (int64_t i = 0; i < kLookedAt; ++i) {
    const int64_t f = i * filters / kLookedAt;
    const double* x = w.data() + f * length;
    if (std::all_of(x, x + length, [](double v) { return v == 0; })) {
      ++silent;
      continue;
    }
    ++seen;
    pure += is_tone(x, length);
  }
  return seen > silent && static_cast<double>(pure) >= kMostlyPure * static_cast<double>(seen);
}

// How well a times the middle one of three neighbours predicts the sum of the outer two, for the best a.
bool is_wave(const std::vector<double>& x) {
  double cross = 0, square = 0, power = 0;
  for (size_t t = 1; t + 1 < x.size(); ++t) {
    const double outer = x[t - 1] + x[t + 1];
    cross += outer * x[t];
    square += x[t] * x[t];
    power += outer * outer;
  }
  return square == 0 || power - cross * cross / square <= kWaveRest * power;
}

}  // namespace

bool is_wave_table(const Tensor& table) {
  const Dims& d = table.dims();
  if (d.size() != 2 || d[0] < kShortestWave || d[1] < 1 || !is_arithmetic_float(table.dtype())) return false;
  const int64_t rows = std::min(d[0], kLongestWave), looked_at = std::min(d[1], kColumnsLookedAt);
  int64_t waves = 0;
  for (int64_t i = 0; i < looked_at; ++i) {
    const int64_t c = i * d[1] / looked_at;
    std::vector<double> column;
    for (int64_t t = 0; t < rows; ++t) column.push_back(table.at(t * d[1] + c));
    waves += is_wave(column);
  }
  return static_cast<double>(waves) >= kMostlyPure * static_cast<double>(looked_at);
}

bool is_filter_bank(const Node& node) {
  const Value* v = node.input(1);
  const bool conv = node.as<Conv>() != nullptr;
  if (!v || !v->constant || v->type.quant || !is_arithmetic_float(v->type.dtype) || (!conv && !node.as<ConvTranspose>() && !node.as<MatMul>()))
    return false;
  const Dims& d = v->constant->dims();
  if (d.size() < 2 || v->constant->elements() < kSmallestBank || v->constant->elements() > (int64_t{1} << 24)) return false;
  const bool one_channel = (conv || node.as<ConvTranspose>()) && d[1] == 1;
  const int64_t length = one_channel ? v->constant->elements() / d[0] : 0;
  const ConstTensor data = materialize(v->constant);
  if (!one_channel && (data->dtype() == DType::f64 || !never_negative(*data))) return false;
  const std::vector<double> w = to_doubles(*data);
  return has_bands(w) || (one_channel && has_tones(w, d[0], length));
}

}  // namespace onecard
