#include "lib/flow/compression/site.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "lib/base/round_small.h"

namespace onecard {

namespace {

constexpr std::array kClips = {1.0f, 0.93f, 0.86f, 0.78f, 0.7f, 0.6f, 0.5f, 0.4f, 0.3f};
constexpr std::array kBalances = {0.0f, 0.25f, 0.5f, 0.75f};  // the share of the activations in the multiplier
constexpr double kPercentile = 99.99;                         // as in TensorRT's and ONNX Runtime's calibrators
constexpr float kWidestBalance = 256;                         // multipliers stay within this of each other's middle

// Element (channel, place) of x lies at place / inner * channels * inner + channel * inner + place % inner.
struct ChannelPlaces {
  int64_t channels = 0, inner = 1, places = 0;
};
ChannelPlaces places_of(const Layer& reader, const Dims& dims) {
  const bool windowed = reader.source == RowSource::window || reader.source == RowSource::scattered;
  if (dims.size() < (windowed ? 3u : 1u)) return {};
  ChannelPlaces p;
  p.channels = windowed ? dims[1] : dims.back();
  for (size_t i = 2; windowed && i < dims.size(); ++i) p.inner *= dims[i];
  p.places = p.channels > 0 ? element_count(dims) / p.channels : 0;
  return p;
}

// What the weights of a site's readers say of each of its channels: sums of squares and largest magnitudes; and the largest magnitude of
// every output with given multipliers.
struct ReaderWeights {
  std::vector<double> squares;
  std::vector<float> largest;
};
int64_t channel_of(const Layer& l, int64_t g, int64_t k) {
  return l.groups > 1 && l.source != RowSource::last_axis ? g * (l.depth / l.taps) + k / l.taps : k / l.taps;
}

ReaderWeights look_at(const std::vector<const Layer*>& readers, const std::vector<ConstTensor>& weights, int64_t channels) {
  ReaderWeights r{std::vector<double>(static_cast<size_t>(channels), 0.0), std::vector<float>(static_cast<size_t>(channels), 0.0f)};
  for (size_t i = 0; i < readers.size(); ++i) {
    const Layer& l = *readers[i];
    for (int64_t g = 0; g < l.groups; ++g) {
      const std::vector<float> w = matrix_of(l, *weights[i], g);
      for (int64_t k = 0; k < l.depth; ++k)
        for (int64_t n = 0; n < l.width; ++n) {
          const auto c = static_cast<size_t>(channel_of(l, g, k));
          const float v = w[static_cast<size_t>(k * l.width + n)];
          r.squares[c] += static_cast<double>(v) * v;
          r.largest[c] = std::max(r.largest[c], std::abs(v));
        }
    }
  }
  return r;
}

// The expected error of all sums that rounding the weights brings, with multipliers s: a weight's step is t_n / s_c, t_n = max |w s| / 127.
double weight_error(const std::vector<const Layer*>& readers, const std::vector<ConstTensor>& weights, const std::vector<float>& s,
                    const std::vector<double>& power) {
  double error = 0;
  for (size_t i = 0; i < readers.size(); ++i) {
    const Layer& l = *readers[i];
    for (int64_t g = 0; g < l.groups; ++g) {
      const std::vector<float> w = matrix_of(l, *weights[i], g);
      std::vector<float> top(static_cast<size_t>(l.width), 0.0f);
      double heard = 0;  // sum over k of E[x_c^2] / s_c^2
      for (int64_t k = 0; k < l.depth; ++k) {
        const auto c = static_cast<size_t>(channel_of(l, g, k));
        heard += power[c] / (static_cast<double>(s[c]) * s[c]);
        for (int64_t n = 0; n < l.width; ++n)
          top[static_cast<size_t>(n)] = std::max(top[static_cast<size_t>(n)], std::abs(w[static_cast<size_t>(k * l.width + n)]) * s[c]);
      }
      for (const float t : top) error += static_cast<double>(t) * t / (127.0 * 127.0 * 12.0) * heard;
    }
  }
  return error;
}

// The sum over x of (rounded and clipped x - x)^2.
double rounding_error(const float* x, int64_t count, float step, float low, float high) {
  constexpr int64_t kLanes = 16;
  const float inverse = 1 / step;
  float sums[kLanes] = {};
  double sum = 0;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (int64_t k = 0; k < kLanes; ++k) {
      const float code = round_small(std::min(std::max(x[i + k] * inverse, low), high)), d = code * step - x[i + k];
      sums[k] += d * d;
    }
  for (; i < count; ++i) {
    const float code = round_small(std::min(std::max(x[i] * inverse, low), high)), d = code * step - x[i];
    sum += static_cast<double>(d) * d;
  }
  for (const float s : sums) sum += static_cast<double>(s);
  return sum;
}

// Smallest and largest of x, NaN and infinities left out: comparisons with them are never true, or are with the largest float.
void widen_one(const float* x, int64_t count, float& low, float& high) {
  constexpr float kMost = std::numeric_limits<float>::max();
  constexpr int64_t kLanes = 16;
  float least[kLanes], most[kLanes];
  std::fill_n(least, kLanes, low);
  std::fill_n(most, kLanes, high);
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t from = std::min(i, std::max<int64_t>(count - kLanes, 0)), lanes = std::min(kLanes, count);
    for (int64_t k = 0; k < lanes; ++k) {
      const float v = x[from + k];
      least[k] = v < least[k] && v >= -kMost ? v : least[k];
      most[k] = v > most[k] && v <= kMost ? v : most[k];
    }
  }
  low = *std::min_element(least, least + kLanes);
  high = *std::max_element(most, most + kLanes);
}
// The same for one element of each channel.
void widen_each(const float* x, std::vector<float>& lows, std::vector<float>& highs) {
  constexpr float kMost = std::numeric_limits<float>::max();
  float *low = lows.data(), *high = highs.data();
  for (size_t c = 0; c < lows.size(); ++c) {
    const float v = x[c];
    low[c] = v < low[c] && v >= -kMost ? v : low[c];
    high[c] = v > high[c] && v <= kMost ? v : high[c];
  }
}

// The expected error of all sums that rounding and clipping x brings: per channel the mean of (x^ - x)^2 times the squares of its weights.
double site_error(const SiteSeen& seen, const ReaderWeights& w, const std::vector<float>& s, float scale, float low, float high) {
  double error = 0;
  const auto kept = static_cast<double>(std::max<int64_t>(seen.kept(), 1));
  for (int64_t c = 0; c < seen.channels(); ++c) {
    const float step = scale * s[static_cast<size_t>(c)];
    double sum = 0;
    for (const SiteSeen::Part& part : seen.parts) sum += rounding_error(part.values.data() + c * part.kept, part.kept, step, low, high);
    error += sum / kept * w.squares[static_cast<size_t>(c)];
  }
  return error;
}

std::vector<double> powers(const SiteSeen& seen) {
  std::vector<double> p;
  const auto kept = static_cast<double>(std::max<int64_t>(seen.kept(), 1));
  for (int64_t c = 0; c < seen.channels(); ++c) {
    double sum = 0;
    for (const SiteSeen::Part& part : seen.parts)
      for (int64_t i = 0; i < part.kept; ++i) {
        const double v = part.values[static_cast<size_t>(c * part.kept + i)];
        sum += v * v;
      }
    p.push_back(sum / kept);
  }
  return p;
}

// Multipliers s_c = largest |x_c|^a / largest |w_c|^(1 - a), their middle moved to 1; x is divided by them.
std::vector<float> balanced(const SiteSeen& seen, const ReaderWeights& w, float a) {
  std::vector<double> logs(static_cast<size_t>(seen.channels()), 0.0);
  double sum = 0, count = 0;
  for (size_t c = 0; c < logs.size(); ++c) {
    if (seen.largest[c] <= 0 || w.largest[c] <= 0) continue;
    logs[c] = a * std::log(static_cast<double>(seen.largest[c])) - (1 - a) * std::log(static_cast<double>(w.largest[c]));
    sum += logs[c];
    ++count;
  }
  const double middle = count > 0 ? sum / count : 0;
  std::vector<float> s(logs.size(), 1.0f);
  float top = 0;  // of what is heard
  for (size_t c = 0; c < logs.size(); ++c) {
    if (seen.largest[c] <= 0 || w.largest[c] <= 0) continue;
    s[c] = std::clamp(static_cast<float>(std::exp(logs[c] - middle)), 1 / kWidestBalance, kWidestBalance);
    top = std::max(top, seen.largest[c] / s[c]);
  }
  // A channel that no weight listens to must not widen the range of the others.
  for (size_t c = 0; c < logs.size(); ++c)
    if (w.largest[c] <= 0 && top > 0 && seen.largest[c] > top) s[c] = seen.largest[c] / top;
  return s;
}

float cut_of(const Histogram& seen, RangeRule range, float high) {
  const int64_t levels = static_cast<int64_t>(high) + 1;  // of magnitudes
  if (range == RangeRule::entropy) return entropy_cut(seen, levels);
  return range == RangeRule::percentile ? percentile_cut(seen, kPercentile) : mse_cut(seen, levels);
}

}  // namespace

bool needs_histogram(RangeRule rule) { return rule == RangeRule::entropy || rule == RangeRule::percentile || rule == RangeRule::mse; }

int64_t SiteSeen::kept() const {
  int64_t sum = 0;
  for (const Part& part : parts) sum += part.kept;
  return sum;
}

void see(SiteSeen& seen, const Layer& reader, const Tensor& x, int64_t most, double phase) {
  const Tensor real = as_real(x);
  const ChannelPlaces p = places_of(reader, real.dims());
  if (p.places == 0) return;
  SiteSeen here;
  here.min = INFINITY;
  here.max = -INFINITY;
  std::vector<float> lows(static_cast<size_t>(p.channels), INFINITY), highs(lows.size(), -INFINITY);
  const auto from = real.data<float>();
  if (seen.histogram) here.histogram.emplace().add(from);
  for (int64_t outer = 0; outer < p.places / p.inner; ++outer) {
    const float* at = from.data() + outer * p.channels * p.inner;
    if (p.inner == 1) widen_each(at, lows, highs);
    else
      for (size_t c = 0; c < lows.size(); ++c, at += p.inner) widen_one(at, p.inner, lows[c], highs[c]);
  }
  for (size_t c = 0; c < lows.size(); ++c) {
    here.min = std::min(here.min, lows[c]);
    here.max = std::max(here.max, highs[c]);
    here.largest.push_back(lows[c] <= highs[c] ? std::max(std::abs(lows[c]), std::abs(highs[c])) : 0.0f);
  }
  if (const int64_t take = std::min(most, p.places); take > 0) {
    SiteSeen::Part part{take, std::vector<float>(static_cast<size_t>(p.channels * take))};
    for (int64_t i = 0; i < take; ++i) {
      const auto place = std::min(p.places - 1, static_cast<int64_t>((static_cast<double>(i) + (take == p.places ? 0 : phase)) *
                                                                     static_cast<double>(p.places) / static_cast<double>(take)));
      const float* at = from.data() + place / p.inner * p.channels * p.inner + place % p.inner;
      for (int64_t c = 0; c < p.channels; ++c) {
        const float v = at[c * p.inner];
        part.values[static_cast<size_t>(c * take + i)] = std::isfinite(v) ? v : 0.0f;
      }
    }
    here.parts.push_back(std::move(part));
  }
  merge(seen, std::move(here));
}

void merge(SiteSeen& seen, SiteSeen more) {
  if (more.largest.empty()) return;
  if (seen.largest.empty()) {
    seen = std::move(more);
    return;
  }
  if (seen.channels() != more.channels()) return;
  seen.min = std::min(seen.min, more.min);
  seen.max = std::max(seen.max, more.max);
  for (size_t c = 0; c < seen.largest.size(); ++c) seen.largest[c] = std::max(seen.largest[c], more.largest[c]);
  for (SiteSeen::Part& part : more.parts) seen.parts.push_back(std::move(part));
  if (seen.histogram && more.histogram) seen.histogram->add(std::move(*more.histogram));
}

std::optional<SiteQuantization> choose_quantization(const SiteSeen& seen, const std::vector<const Layer*>& readers,
                                                    const std::vector<ConstTensor>& weights, RangeRule range, ChannelRule channels) {
  if (seen.largest.empty() || !(seen.max > 0 || seen.min < 0)) return std::nullopt;
  const bool never_negative = seen.min >= 0;
  const float low = never_negative ? 0.0f : -127.0f, high = never_negative ? 255.0f : 127.0f;
  const bool by_histogram = needs_histogram(range) && seen.histogram && !seen.histogram->empty();
  if (by_histogram || (range == RangeRule::whole && channels == ChannelRule::one_scale)) {
    const float scale = (by_histogram ? cut_of(*seen.histogram, range, high) : *std::max_element(seen.largest.begin(), seen.largest.end())) / high;
    if (!std::isnormal(scale)) return std::nullopt;
    return SiteQuantization{never_negative ? DType::u8 : DType::i8, scale, {}};
  }
  const ReaderWeights w = look_at(readers, weights, seen.channels());
  const std::vector<double> power = powers(seen);
  SiteQuantization best;
  double least = INFINITY;
  const auto consider = [&](const std::vector<float>& s, bool plain) {
    float top = 0;
    for (int64_t c = 0; c < seen.channels(); ++c) top = std::max(top, seen.largest[static_cast<size_t>(c)] / s[static_cast<size_t>(c)]);
    const double of_weights = weight_error(readers, weights, s, power);
    for (const float clip : kClips) {
      const float scale = top * clip / high;
      if (!std::isnormal(scale)) break;
      const double error = of_weights + site_error(seen, w, s, scale, low, high);
      if (error < least) {
        least = error;
        best.scale = scale;
        best.divisor = plain ? std::vector<float>{} : s;
      }
      if (range == RangeRule::whole) break;
    }
  };
  consider(std::vector<float>(static_cast<size_t>(seen.channels()), 1.0f), true);
  if (channels == ChannelRule::balanced && seen.channels() > 1)
    for (const float a : kBalances) consider(balanced(seen, w, a), false);
  if (!std::isfinite(least)) return std::nullopt;
  best.dtype = never_negative ? DType::u8 : DType::i8;
  return best;
}

}  // namespace onecard
