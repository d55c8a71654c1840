#include "lib/flow/held_out.h"

#include <algorithm>
#include <cstdio>

#include "lib/flow/compression/judge.h"

namespace onecard {

namespace {

constexpr size_t kNamed = 3;

std::string number(const char* format, double v) {
  char text[48];
  std::snprintf(text, sizeof text, format, v);
  return text;
}

// What is wrong with one output; empty when nothing is.
std::string doubt(const OutputTotals& t) {
  if (t.elements == 0) return "";
  const double equal = t.equal / static_cast<double>(t.elements);
  if (!t.floats) return equal < kDoubtfulEqual ? number("%.1f%% of its elements equal", 100 * equal) : "";
  if (t.decibels() < kDoubtfulDecibels || t.cosine() < kDoubtfulCosine)
    return number("%.1f dB signal to error", t.decibels()) + number(", cosine %.4f", t.cosine());
  if (t.varying_decibels() < kDoubtfulVarying)
    return number("%.1f dB signal to error of what varies in it", t.varying_decibels()) + number(", %.1f dB with its constant part", t.decibels());
  return "";
}

}  // namespace

Sides::Sides(const GraphPtr& before, const GraphPtr& after, Device& device, int workers, std::shared_ptr<SharedWeights> both)
    : weights(std::move(both)),
      original(std::make_shared<const Team>(before, device, workers, weights)),
      shipped(std::make_shared<const Team>(after, device, workers, weights)) {}

HeldOut measure_held_out(const Sides& sides, Device& device, const SampleSource& samples, const Carry& carry,
                         const std::optional<SampleUse>& fitted) {
  Carry used = carry;
  if (used.pairs.empty()) used = find_carry(sides.original->member(0), samples);
  const SampleUse use = fitted ? *fitted : divide_samples(samples.size(), used.pairs.empty() ? SampleOrder::first_held_out : SampleOrder::streams, 0);
  used.starts = {0};
  HeldOut h;
  h.samples = static_cast<int64_t>(use.held_out.size());
  h.fitted_too =
      std::any_of(use.held_out.begin(), use.held_out.end(), [&](size_t i) { return std::count(use.fitted.begin(), use.fitted.end(), i) > 0; });
  AccuracyMeter meter(sides.original, device, samples, use.held_out, used, std::nullopt, sides.weights);
  Measured m = meter.measure(*sides.shipped);
  for (const Difference& d : m.accuracy.outputs) h.outputs.push_back(d.name);
  h.totals = std::move(m.totals);
  if (used.pairs.empty() && use.held_out.at(0) == 0 && meter.first_answers()) h.first = {meter.first_answers(), std::move(m.first)};
  return h;
}

std::optional<std::string> accuracy_warning(const HeldOut& h, const std::string& advice) {
  std::vector<size_t> doubtful;
  for (size_t o = 0; o < h.outputs.size(); ++o)
    if (!doubt(h.totals[o]).empty()) doubtful.push_back(o);
  if (doubtful.empty()) return std::nullopt;
  std::stable_sort(doubtful.begin(), doubtful.end(), [&](size_t a, size_t b) { return h.totals[a].decibels() < h.totals[b].decibels(); });
  std::string text = "the answers are far from the original's on " + std::to_string(h.samples) + (h.fitted_too ? "" : " held-out") +
                     (h.samples == 1 ? " sample" : " samples") + (h.fitted_too ? " that compression was fitted to" : "") + ": ";
  for (size_t i = 0; i < std::min(doubtful.size(), kNamed); ++i)
    text += (i ? "; '" : "'") + h.outputs[doubtful[i]] + "' " + doubt(h.totals[doubtful[i]]);
  if (doubtful.size() > kNamed) text += "; and " + std::to_string(doubtful.size() - kNamed) + " more outputs";
  return text + ". " + advice;
}

}  // namespace onecard
