#include "lib/runtime/compare.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>

namespace onecard {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string type_difference(const Tensor& got, const Tensor& want) {
  if (got.has_value() != want.has_value()) return got.has_value() ? "a value where none is expected" : "no value";
  if (got.type().container != want.type().container) return "a " + got.type().text() + " where a " + want.type().text() + " is expected";
  if (want.type().container != Container::tensor) return "";
  if (got.dtype() != want.dtype() || got.dims() != want.dims()) return got.type().text() + " where " + want.type().text() + " is expected";
  return "";
}

Comparison not_comparable(std::string why) {
  Comparison c;
  c.comparable = false;
  c.why_not = std::move(why);
  c.max_abs = c.mean_abs = c.range_error = c.kl = kInfinity;
  c.cosine = 0;
  c.sqnr_db = c.psnr_db = -kInfinity;
  c.argmax_agreement = 0;
  return c;
}

Comparison compare_strings(const Tensor& got, const Tensor& want) {
  for (size_t i = 0; i < want.text().size(); ++i)
    if (got.text()[i] != want.text()[i]) return not_comparable("string " + std::to_string(i) + " is '" + got.text()[i] + "', not '" + want.text()[i] + "'");
  Comparison c;
  c.sqnr_db = c.psnr_db = kInfinity;
  return c;
}

struct Sums {
  double dot = 0, got2 = 0, want2 = 0, diff2 = 0, diff = 0;
  double low = kInfinity, high = -kInfinity, largest = 0;
};

// Metrics per row of the last axis.
void compare_rows(const std::vector<double>& got, const std::vector<double>& want, const Dims& dims, Comparison& c) {
  const int64_t width = dims.empty() ? 1 : dims.back();
  if (width <= 1 || got.empty()) return;
  const int64_t rows = static_cast<int64_t>(got.size()) / width;
  double agree = 0, kl = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const auto *g = &got[static_cast<size_t>(r * width)], *w = &want[static_cast<size_t>(r * width)];
    agree += std::max_element(g, g + width) - g == std::max_element(w, w + width) - w;
    const double gt = *std::max_element(g, g + width), wt = *std::max_element(w, w + width);
    double gs = 0, ws = 0;
    for (int64_t i = 0; i < width; ++i) gs += std::exp(g[i] - gt), ws += std::exp(w[i] - wt);
    for (int64_t i = 0; i < width; ++i) {
      const double p = std::exp(w[i] - wt) / ws;
      if (p > 0) kl += p * ((w[i] - wt - std::log(ws)) - (g[i] - gt - std::log(gs)));
    }
  }
  c.rows = rows;
  c.argmax_agreement = agree / static_cast<double>(rows);
  c.kl = std::max(0.0, kl / static_cast<double>(rows));
}

Comparison compare_sequences(const Tensor& got, const Tensor& want) {
  if (got.items().size() != want.items().size()) return not_comparable("a sequence of " + std::to_string(got.items().size()) + " where " + std::to_string(want.items().size()) + " are expected");
  Comparison worst;
  worst.sqnr_db = worst.psnr_db = kInfinity;
  for (size_t i = 0; i < want.items().size(); ++i)
    if (const Comparison c = compare(got.items()[i], want.items()[i]); !c.comparable || c.range_error >= worst.range_error) worst = c;
  return worst;
}

std::vector<double> numbers_of(const Tensor& t) {
  if (info(t.dtype()).kind != DKind::complex) return to_doubles(t);
  std::vector<double> out;
  const int64_t n = 2 * t.elements();
  for (int64_t i = 0; i < n; ++i) out.push_back(t.dtype() == DType::c64 ? static_cast<double>(reinterpret_cast<const float*>(t.raw())[i]) : reinterpret_cast<const double*>(t.raw())[i]);
  return out;
}

}  // namespace

namespace {

bool is_optional(const Tensor& t) { return t.has_value() && (t.type().container == Container::optional || t.type().container == Container::optional_sequence); }

// What a full optional holds.
Tensor held(const Tensor& t) {
  TensorType type = t.type();
  type.container = type.container == Container::optional ? Container::tensor : Container::sequence;
  return t.alias(type);
}

}  // namespace

Comparison compare(const Tensor& got, const Tensor& want) {
  if (is_optional(got)) return compare(held(got), want);
  if (is_optional(want)) return compare(got, held(want));
  if (auto why = type_difference(got, want); !why.empty()) return not_comparable(std::move(why));
  Comparison c;
  c.sqnr_db = c.psnr_db = kInfinity;
  if (!want.has_value()) return c;
  if (want.type().container == Container::sequence) return compare_sequences(got, want);
  if (want.dtype() == DType::string) return compare_strings(got, want);
  const auto a = numbers_of(got), b = numbers_of(want);
  Sums s;
  int64_t finite = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    if (!std::isfinite(b[i])) {
      const bool same = std::isnan(b[i]) ? std::isnan(a[i]) : a[i] == b[i];
      if (!same) return not_comparable("element " + std::to_string(i) + " is not the infinity or NaN that is expected");
      continue;
    }
    if (!std::isfinite(a[i])) return not_comparable("element " + std::to_string(i) + " is not finite");
    const double d = a[i] - b[i];
    c.max_abs = std::max(c.max_abs, std::fabs(d));
    s.diff += std::fabs(d), s.diff2 += d * d, s.dot += a[i] * b[i], s.got2 += a[i] * a[i], s.want2 += b[i] * b[i];
    s.low = std::min(s.low, b[i]), s.high = std::max(s.high, b[i]), s.largest = std::max(s.largest, std::fabs(b[i]));
    ++finite;
  }
  if (finite == 0) return c;
  double range = std::max(s.high - s.low, s.largest);
  if (range == 0) range = 1;
  c.mean_abs = s.diff / static_cast<double>(finite);
  c.range_error = c.max_abs / range;
  c.cosine = s.got2 == 0 && s.want2 == 0 ? 1 : s.got2 == 0 || s.want2 == 0 ? 0 : s.dot / std::sqrt(s.got2 * s.want2);
  if (s.diff2 > 0) {
    c.sqnr_db = s.want2 > 0 ? 10 * std::log10(s.want2 / s.diff2) : -kInfinity;
    c.psnr_db = 20 * std::log10(range / std::sqrt(s.diff2 / static_cast<double>(finite)));
  }
  if (finite == static_cast<int64_t>(b.size()) && is_float(want.dtype())) compare_rows(a, b, want.dims(), c);
  return c;
}

bool all_close(const Tensor& got, const Tensor& want, double rtol, double atol, std::string& why_not) {
  if (is_optional(got)) return all_close(held(got), want, rtol, atol, why_not);
  if (is_optional(want)) return all_close(got, held(want), rtol, atol, why_not);
  if (why_not = type_difference(got, want); !why_not.empty()) return false;
  if (!want.has_value()) return true;
  if (want.type().container == Container::sequence) {
    if (got.items().size() != want.items().size()) return why_not = "a sequence of another length", false;
    for (size_t i = 0; i < want.items().size(); ++i)
      if (!all_close(got.items()[i], want.items()[i], rtol, atol, why_not)) return false;
    return true;
  }
  if (want.dtype() == DType::string) {
    if (got.text() == want.text()) return true;
    return why_not = "strings differ", false;
  }
  const auto kind = info(want.dtype()).kind;
  const bool exact = kind != DKind::floating && kind != DKind::complex;
  if (exact) {
    for (int64_t i = 0; i < want.elements(); ++i)
      if (got.int_at(i) != want.int_at(i)) {
        const double d = std::fabs(got.at(i) - want.at(i));
        if (d <= atol + rtol * std::fabs(want.at(i))) continue;
        return why_not = "element " + std::to_string(i) + " is " + std::to_string(got.int_at(i)) + ", not " + std::to_string(want.int_at(i)), false;
      }
    return true;
  }
  const auto a = numbers_of(got), b = numbers_of(want);
  for (size_t i = 0; i < b.size(); ++i) {
    const bool close = std::isnan(b[i]) ? std::isnan(a[i]) : a[i] == b[i] || (std::isfinite(b[i]) && std::fabs(a[i] - b[i]) <= atol + rtol * std::fabs(b[i]));
    if (close) continue;
    why_not = "element " + std::to_string(i) + " is " + std::to_string(a[i]) + ", not " + std::to_string(b[i]);
    return false;
  }
  return true;
}

}  // namespace onecard
