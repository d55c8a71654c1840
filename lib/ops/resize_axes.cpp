#include <algorithm>
#include <cmath>

#include "lib/ops/resize.h"

namespace onecard {

namespace {

// The scale and extent of one axis of the result; `exact` is in * scale before rounding.
struct Scaling {
  double scale = 1, exact = 0;
  int64_t in = 0, out = 0;
};

// Coordinates in x of output position o (ONNX Resize, coordinate_transformation_mode).
double source_position(Coordinates mode, const Scaling& s, double o, double roi_begin, double roi_end) {
  const double last = static_cast<double>(s.in) - 1;
  switch (mode) {
    case Coordinates::half_pixel: return (o + 0.5) / s.scale - 0.5;
    case Coordinates::pytorch_half_pixel: return s.exact > 1 ? (o + 0.5) / s.scale - 0.5 : 0.0;
    case Coordinates::half_pixel_symmetric: {
      const double offset = static_cast<double>(s.in) / 2 * (1 - static_cast<double>(s.out) / s.exact);
      return offset + (o + 0.5) / s.scale - 0.5;
    }
    case Coordinates::align_corners: return s.exact == 1 ? 0.0 : o * last / (s.exact - 1);
    case Coordinates::asymmetric: return o / s.scale;
    case Coordinates::tf_half_pixel_for_nn: return (o + 0.5) / s.scale;
    case Coordinates::tf_crop_and_resize:
      return roi_begin * last + (s.exact == 1 ? (roi_end - roi_begin) * last / 2 : o * (roi_end - roi_begin) * last / (s.exact - 1));
  }
  return 0;
}

double cubic(double x, double a) {
  x = std::abs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0.0;
}

double nearest(NearestMode mode, double at) {
  switch (mode) {
    case NearestMode::round_prefer_floor: return std::ceil(at - 0.5);
    case NearestMode::round_prefer_ceil: return std::floor(at + 0.5);
    case NearestMode::floor: return std::floor(at);
    case NearestMode::ceil: return std::ceil(at);
  }
  return at;
}

// An index far outside would overflow; anything there is clamped to the edge anyway.
int64_t bounded_index(double at, int64_t in) { return static_cast<int64_t>(std::clamp(at, -4.0 * static_cast<double>(in) - 8, 5.0 * static_cast<double>(in) + 8)); }

// The taps of every output position around its source position, weights summing to 1.
void fill_taps(const Resize& op, const Scaling& s, const std::vector<double>& positions, ResizeAxis& axis) {
  const double shrink = op.antialias == Antialias::yes ? std::min(s.scale, 1.0) : 1.0;
  const double reach = op.mode == ResizeMode::cubic ? 2.0 : 1.0;
  const auto first = static_cast<int64_t>(std::floor(-reach / shrink)) + 1;
  axis.taps = 2 - 2 * first;
  for (double at : positions) {
    // An integer position counts as the right end of its interval, so the pixel on the left is preferred.
    const double base = std::ceil(at) - 1, ratio = at - base;
    double sum = 0;
    const size_t begin = axis.weights.size();
    for (int64_t t = 0; t < axis.taps; ++t) {
      const double distance = (static_cast<double>(first + t) - ratio) * shrink;
      double w = op.mode == ResizeMode::cubic ? cubic(distance, op.cubic_a) : std::max(0.0, 1 - std::abs(distance));
      const int64_t source = bounded_index(base, s.in) + first + t;
      if (op.outside == Outside::exclude && (source < 0 || source >= s.in)) w = 0;
      sum += w;
      axis.index.push_back(std::clamp<int64_t>(source, 0, s.in - 1));
      axis.weights.push_back(w);
    }
    const bool normalize = op.outside == Outside::exclude || op.antialias == Antialias::yes;
    for (size_t i = begin; normalize && sum != 0 && i < axis.weights.size(); ++i) axis.weights[i] /= sum;
  }
}

ResizeAxis make_axis(const Resize& op, const Scaling& s, double roi_begin, double roi_end) {
  ResizeAxis axis{s.in, s.out, 1, {}, {}, {}};
  const bool crop = op.coordinates == Coordinates::tf_crop_and_resize;
  std::vector<double> positions(static_cast<size_t>(s.out));
  for (int64_t o = 0; o < s.out; ++o) {
    const double at = source_position(op.coordinates, s, static_cast<double>(o), roi_begin, roi_end);
    positions[static_cast<size_t>(o)] = std::isfinite(at) ? at : 0.0;
    if (crop) axis.outside.push_back(!(at >= 0 && at <= static_cast<double>(s.in - 1)));
  }
  if (op.mode != ResizeMode::nearest) {
    fill_taps(op, s, positions, axis);
    return axis;
  }
  for (double at : positions) axis.index.push_back(std::clamp<int64_t>(bounded_index(nearest(op.nearest_mode, at), s.in), 0, s.in - 1));
  axis.weights.assign(positions.size(), 1.0);
  return axis;
}

// Which entry of roi, scales and sizes belongs to each axis of x; -1: none.
std::vector<int64_t> entry_of_axis(const Resize& op, int64_t rank) {
  std::vector<int64_t> entry(static_cast<size_t>(rank), -1);
  for (size_t i = 0; i < entry.size() && op.axes.empty(); ++i) entry[i] = static_cast<int64_t>(i);
  for (size_t i = 0; i < op.axes.size(); ++i) entry[static_cast<size_t>(op.axes[i] < 0 ? op.axes[i] + rank : op.axes[i])] = static_cast<int64_t>(i);
  return entry;
}

std::vector<Scaling> scalings(const Resize& op, const Dims& x, std::span<const double> scales, std::span<const int64_t> sizes) {
  const auto entry = entry_of_axis(op, static_cast<int64_t>(x.size()));
  std::vector<Scaling> out;
  double least = INFINITY, most = 0;
  for (size_t a = 0; a < x.size(); ++a) {
    const auto in = static_cast<double>(x[a]);
    Scaling s{1, in, x[a], x[a]};
    if (entry[a] >= 0 && !sizes.empty()) {
      s.out = sizes[static_cast<size_t>(entry[a])];
      s.exact = static_cast<double>(s.out);
      s.scale = x[a] == 0 ? 1.0 : s.exact / in;
      least = std::min(least, s.scale);
      most = std::max(most, s.scale);
    } else if (entry[a] >= 0) {
      s.scale = scales[static_cast<size_t>(entry[a])];
      s.exact = in * s.scale;
      s.out = static_cast<int64_t>(std::floor(static_cast<float>(x[a]) * static_cast<float>(s.scale)));
    }
    out.push_back(s);
  }
  if (sizes.empty() || op.aspect_ratio == AspectRatio::stretch) return out;
  for (size_t a = 0; a < x.size(); ++a) {
    if (entry[a] < 0) continue;
    out[a].scale = op.aspect_ratio == AspectRatio::not_larger ? least : most;
    out[a].exact = out[a].scale * static_cast<double>(x[a]);
    out[a].out = static_cast<int64_t>(out[a].exact + 0.5);
  }
  return out;
}

}  // namespace

bool ResizeAxis::is_identity() const {
  if (in != out || !std::ranges::all_of(outside, [](uint8_t o) { return o == 0; })) return false;
  for (int64_t i = 0; i < static_cast<int64_t>(index.size()); ++i) {
    const double w = weights[static_cast<size_t>(i)];
    if (w != 0 && (w != 1 || index[static_cast<size_t>(i)] != i / taps)) return false;
  }
  return true;
}

std::vector<ResizeAxis> resize_axes(const Resize& op, const Dims& x, std::span<const double> roi, std::span<const double> scales, std::span<const int64_t> sizes) {
  const auto entry = entry_of_axis(op, static_cast<int64_t>(x.size()));
  const auto scaled = scalings(op, x, scales, sizes);
  std::vector<ResizeAxis> axes;
  for (size_t a = 0; a < x.size(); ++a) {
    const bool untouched = entry[a] < 0 || (scaled[a].scale == 1 && scaled[a].in == scaled[a].out && op.coordinates != Coordinates::tf_crop_and_resize);
    const auto e = static_cast<size_t>(entry[a]);
    const double begin = entry[a] >= 0 && !roi.empty() ? roi[e] : 0.0, end = entry[a] >= 0 && !roi.empty() ? roi[roi.size() / 2 + e] : 1.0;
    if (!untouched) {
      axes.push_back(make_axis(op, scaled[a], begin, end));
      continue;
    }
    ResizeAxis same{x[a], x[a], 1, {}, {}, {}};
    for (int64_t i = 0; i < x[a]; ++i) same.index.push_back(i);
    same.weights.assign(same.index.size(), 1.0);
    axes.push_back(std::move(same));
  }
  return axes;
}

}  // namespace onecard
