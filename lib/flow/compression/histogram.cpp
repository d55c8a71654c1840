#include "lib/flow/compression/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace onecard {

namespace {

constexpr size_t kEntropyBins = 2048;  // as published

// The smallest e with v < 2^e.
int exponent_of(float v) {
  int e = 0;
  std::frexp(v, &e);
  return e;
}

// KL divergence of the first `cut` bins, with everything above in the last one, from the same bins rounded to `levels` steps.
double divergence(std::span<const int64_t> counts, size_t cut, size_t levels, double above, double total) {
  double sum_q = 0, result = 0;
  // Bins whose rounded form is empty while they are not make the divergence infinite.
  std::vector<double> q(cut, 0.0);
  for (size_t level = 0; level < levels; ++level) {
    const size_t begin = level * cut / levels, end = (level + 1) * cut / levels;
    double sum = 0, filled = 0;
    for (size_t i = begin; i < end; ++i) sum += static_cast<double>(counts[i]), filled += counts[i] != 0;
    for (size_t i = begin; i < end; ++i)
      if (counts[i] != 0) q[i] = sum / filled;
    sum_q += sum;
  }
  for (size_t i = 0; i < cut; ++i) {
    const double p = (static_cast<double>(counts[i]) + (i + 1 == cut ? above : 0)) / total;
    if (p == 0) continue;
    if (q[i] == 0) return std::numeric_limits<double>::infinity();
    result += p * std::log(p * sum_q / q[i]);
  }
  return result;
}

}  // namespace

double Histogram::width() const { return std::ldexp(1.0, exponent_) / static_cast<double>(kBins); }

void Histogram::widen(int exponent) {
  if (counts_.empty()) {
    counts_.assign(kBins, 0);
    exponent_ = exponent;
  }
  for (; exponent_ < exponent; ++exponent_) {
    if (total_ == 0) continue;
    for (size_t i = 0; i < kBins / 2; ++i) counts_[i] = counts_[2 * i] + counts_[2 * i + 1];
    std::fill(counts_.begin() + kBins / 2, counts_.end(), 0);
  }
}

void Histogram::add(std::span<const float> values) {
  float most = 0;
  for (const float v : values)
    if (std::isfinite(v)) most = std::max(most, std::abs(v));
  if (most > 0) widen(exponent_of(most));
  largest_ = std::max(largest_, most);
  const double inverse = counts_.empty() ? 0 : 1 / width();
  for (const float v : values) {
    const float size = std::abs(v);
    if (!(size <= std::numeric_limits<float>::max())) continue;
    if (size == 0) {
      ++zeros_;
      continue;
    }
    ++counts_[std::min(kBins - 1, static_cast<size_t>(static_cast<double>(size) * inverse))];
    ++total_;
  }
}

void Histogram::add(Histogram more) {
  zeros_ += more.zeros_;
  if (more.total_ == 0) return;
  widen(more.exponent_);
  more.widen(exponent_);
  for (size_t i = 0; i < kBins; ++i) counts_[i] += more.counts_[i];
  total_ += more.total_;
  largest_ = std::max(largest_, more.largest_);
}

float entropy_cut(const Histogram& seen, int64_t levels) {
  std::vector<int64_t> counts(kEntropyBins, 0);
  for (size_t i = 0; i < Histogram::kBins; ++i) counts[i * kEntropyBins / Histogram::kBins] += seen.counts()[i];
  const double width = seen.width() * static_cast<double>(Histogram::kBins) / static_cast<double>(kEntropyBins);
  const auto bins = std::min(kEntropyBins, static_cast<size_t>(static_cast<double>(seen.largest()) / width) + 1);
  double least = std::numeric_limits<double>::infinity(), above = 0;
  size_t best = bins;
  // From the largest cut down: of equal ones the larger stays.
  for (size_t cut = bins; cut >= static_cast<size_t>(levels); --cut) {
    const double d = divergence(counts, cut, static_cast<size_t>(levels), above, static_cast<double>(seen.total()));
    if (d < least) least = d, best = cut;
    above += static_cast<double>(counts[cut - 1]);
  }
  return static_cast<float>(std::min(static_cast<double>(seen.largest()), static_cast<double>(best) * width));
}

float percentile_cut(const Histogram& seen, double percent) {
  const double wanted = percent / 100 * static_cast<double>(seen.total() + seen.zeros());
  double below = static_cast<double>(seen.zeros());
  for (size_t i = 0; i < Histogram::kBins; ++i) {
    const auto here = static_cast<double>(seen.counts()[i]);
    if (here > 0 && below + here >= wanted) {
      const double within = std::clamp((wanted - below) / here, 0.0, 1.0), cut = (static_cast<double>(i) + within) * seen.width();
      // Nothing but zeros below: a cut at 0 would leave nothing of what is not.
      return cut > 0 ? static_cast<float>(std::min(static_cast<double>(seen.largest()), cut)) : seen.largest();
    }
    below += here;
  }
  return seen.largest();
}

float mse_cut(const Histogram& seen, int64_t levels) {
  constexpr int kCuts = 100;
  const double most = seen.largest(), width = seen.width();
  double least = std::numeric_limits<double>::infinity(), best = most;
  for (int i = kCuts; i > 0; --i) {
    const double cut = most * i / kCuts, step = cut / static_cast<double>(levels - 1);
    double error = 0;
    for (size_t b = 0; b < Histogram::kBins; ++b) {
      if (seen.counts()[b] == 0) continue;
      const double x = (static_cast<double>(b) + 0.5) * width, d = std::min(std::nearbyint(x / step), static_cast<double>(levels - 1)) * step - x;
      error += d * d * static_cast<double>(seen.counts()[b]);
    }
    if (error < least) least = error, best = cut;
  }
  return static_cast<float>(best);
}

}  // namespace onecard
