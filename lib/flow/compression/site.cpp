#include "lib/flow/compression/site.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace onecard {

namespace {

constexpr std::array kClips = {1.0f, 0.93f, 0.86f, 0.78f, 0.7f, 0.6f, 0.5f, 0.4f, 0.3f};
constexpr std::array kBalances = {0.0f, 0.25f, 0.5f, 0.75f};  // the share of the activations in the multiplier
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

// The expected error of all sums that rounding and clipping x brings: per channel the mean of (x^ - x)^2 times the squares of its weights.
double site_error(const SiteSeen& seen, const ReaderWeights& w, const std::vector<float>& s, float scale, float low, float high) {
  double error = 0;
  for (int64_t c = 0; c < seen.channels(); ++c) {
    const float step = scale * s[static_cast<size_t>(c)], inverse = 1 / step;
    double sum = 0;
    for (int64_t i = 0; i < seen.kept; ++i) {
      const float x = seen.values[static_cast<size_t>(c * seen.kept + i)];
      const float d = std::clamp(std::nearbyint(x * inverse), low, high) * step - x;
      sum += static_cast<double>(d) * d;
    }
    error += sum / static_cast<double>(std::max<int64_t>(seen.kept, 1)) * w.squares[static_cast<size_t>(c)];
  }
  return error;
}

std::vector<double> powers(const SiteSeen& seen) {
  std::vector<double> p;
  for (int64_t c = 0; c < seen.channels(); ++c) {
    double sum = 0;
    for (int64_t i = 0; i < seen.kept; ++i) sum += std::pow(static_cast<double>(seen.values[static_cast<size_t>(c * seen.kept + i)]), 2);
    p.push_back(sum / static_cast<double>(std::max<int64_t>(seen.kept, 1)));
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
  std::vector<float> s;
  for (size_t c = 0; c < logs.size(); ++c) {
    const bool live = seen.largest[c] > 0 && w.largest[c] > 0;
    s.push_back(live ? std::clamp(static_cast<float>(std::exp(logs[c] - middle)), 1 / kWidestBalance, kWidestBalance) : 1.0f);
  }
  return s;
}

}  // namespace

void see(SiteSeen& seen, const Layer& reader, const Tensor& x, int64_t most, double phase) {
  const Tensor real = as_real(x);
  const ChannelPlaces p = places_of(reader, real.dims());
  if (p.places == 0 || (!seen.largest.empty() && seen.channels() != p.channels)) return;
  const bool first = seen.largest.empty();
  if (first) seen.largest.assign(static_cast<size_t>(p.channels), 0.0f);
  const auto from = real.data<float>();
  float low = first ? INFINITY : seen.min, high = first ? -INFINITY : seen.max;
  for (int64_t outer = 0; outer < p.places / p.inner; ++outer)
    for (int64_t c = 0; c < p.channels; ++c) {
      float& top = seen.largest[static_cast<size_t>(c)];
      const float* at = from.data() + (outer * p.channels + c) * p.inner;
      for (int64_t i = 0; i < p.inner; ++i) {
        if (!std::isfinite(at[i])) continue;
        low = std::min(low, at[i]);
        high = std::max(high, at[i]);
        top = std::max(top, std::abs(at[i]));
      }
    }
  seen.min = low;
  seen.max = high;
  const int64_t take = std::min(most, p.places);
  if (take <= 0) return;
  std::vector<float> values(static_cast<size_t>(p.channels * (seen.kept + take)));
  for (int64_t c = 0; c < p.channels; ++c) {
    std::copy_n(seen.values.data() + c * seen.kept, seen.kept, values.data() + c * (seen.kept + take));
    for (int64_t i = 0; i < take; ++i) {
      const auto place = std::min(p.places - 1, static_cast<int64_t>((static_cast<double>(i) + (take == p.places ? 0 : phase)) *
                                                                     static_cast<double>(p.places) / static_cast<double>(take)));
      const float v = from[static_cast<size_t>((place / p.inner * p.channels + c) * p.inner + place % p.inner)];
      values[static_cast<size_t>(c * (seen.kept + take) + seen.kept + i)] = std::isfinite(v) ? v : 0.0f;
    }
  }
  seen.values = std::move(values);
  seen.kept += take;
}

std::optional<SiteQuantization> choose_quantization(const SiteSeen& seen, const std::vector<const Layer*>& readers,
                                                    const std::vector<ConstTensor>& weights, RangeRule range, ChannelRule channels) {
  if (seen.largest.empty() || !(seen.max > 0 || seen.min < 0)) return std::nullopt;
  const bool never_negative = seen.min >= 0;
  const float low = never_negative ? 0.0f : -127.0f, high = never_negative ? 255.0f : 127.0f;
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
