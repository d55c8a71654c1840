#include "lib/flow/compression/fit.h"

#include <algorithm>
#include <cmath>

namespace onecard {

namespace {

constexpr int kIterations = 40;   // of conjugate gradients
constexpr double kEnough = 1e-5;  // of the first residual
constexpr int kSweeps = 3;        // of coordinate descent

// Sum over k of u[k, n] * v[k, n] for every column.
std::vector<double> column_dots(const std::vector<float>& u, const std::vector<float>& v, int64_t depth, int64_t width) {
  std::vector<double> dots(static_cast<size_t>(width), 0.0);
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t n = 0; n < width; ++n)
      dots[static_cast<size_t>(n)] += static_cast<double>(u[static_cast<size_t>(k * width + n)]) * v[static_cast<size_t>(k * width + n)];
  return dots;
}

double mean_diagonal(const std::vector<float>& a, int64_t depth) {
  double sum = 0;
  for (int64_t k = 0; k < depth; ++k) sum += a[static_cast<size_t>(k * depth + k)];
  return sum / static_cast<double>(std::max<int64_t>(depth, 1));
}

}  // namespace

FitProblem fit_problem(const Layer& layer, const Moments& moments, int64_t g, std::span<const float> w0, std::span<const float> pull) {
  const int64_t depth = layer.depth, width = layer.width, first = g * depth, square = first * depth;
  const double rows = static_cast<double>(moments.rows);
  FitProblem p;
  p.depth = depth;
  p.width = width;
  p.a.resize(static_cast<size_t>(depth * depth));
  for (int64_t i = 0; i < depth; ++i)
    for (int64_t j = 0; j < depth; ++j) {
      const auto at = static_cast<size_t>(i * depth + j);
      p.a[at] = static_cast<float>(moments.xx[static_cast<size_t>(square) + at] / rows - moments.mean_x(first + i) * moments.mean_x(first + j));
    }
  std::vector<double> mean_y(static_cast<size_t>(width), 0.0);
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t n = 0; n < width; ++n)
      mean_y[static_cast<size_t>(n)] += moments.mean_d(first + k) * static_cast<double>(w0[static_cast<size_t>(k * width + n)]);
  p.b.resize(static_cast<size_t>(depth * width));
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t n = 0; n < width; ++n)
      p.b[static_cast<size_t>(k * width + n)] =
          static_cast<float>(static_cast<double>(moments.xy[static_cast<size_t>((first + k) * width + n)]) / rows -
                             moments.mean_x(first + k) * mean_y[static_cast<size_t>(n)]);
  const double share = 0.01 + 0.1 * static_cast<double>(depth) / rows;
  const auto ridge = static_cast<float>(std::max(share * mean_diagonal(p.a, depth), 1e-20));
  for (int64_t k = 0; k < depth; ++k) p.a[static_cast<size_t>(k * depth + k)] += ridge;
  for (size_t i = 0; i < p.b.size(); ++i) p.b[i] += ridge * pull[i];
  return p;
}

void solve_kept(Products& products, const FitProblem& p, std::span<const uint8_t> keep, std::vector<float>& w) {
  const size_t count = w.size();
  std::vector<float> r(count), z(count), q(count), direction(count);
  for (size_t i = 0; i < count; ++i) w[i] = keep[i] ? w[i] : 0.0f;
  products.multiply(p.a.data(), w.data(), p.depth, p.depth, p.width, q.data());
  const auto precondition = [&] {
    for (size_t i = 0; i < count; ++i) {
      const auto k = static_cast<int64_t>(i) / p.width;
      z[i] = r[i] / p.a[static_cast<size_t>(k * p.depth + k)];
    }
  };
  for (size_t i = 0; i < count; ++i) r[i] = keep[i] ? p.b[i] - q[i] : 0.0f;
  precondition();
  direction = z;
  std::vector<double> rz = column_dots(r, z, p.depth, p.width);
  const std::vector<double> first = rz;
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    products.multiply(p.a.data(), direction.data(), p.depth, p.depth, p.width, q.data());
    for (size_t i = 0; i < count; ++i) q[i] = keep[i] ? q[i] : 0.0f;
    const std::vector<double> curvature = column_dots(direction, q, p.depth, p.width);
    std::vector<float> step(static_cast<size_t>(p.width)), turn(step.size());
    for (size_t n = 0; n < step.size(); ++n) step[n] = curvature[n] > 0 ? static_cast<float>(rz[n] / curvature[n]) : 0.0f;
    for (size_t i = 0; i < count; ++i) {
      const size_t n = i % static_cast<size_t>(p.width);
      w[i] += step[n] * direction[i];
      r[i] -= step[n] * q[i];
    }
    precondition();
    const std::vector<double> next = column_dots(r, z, p.depth, p.width);
    bool done = true;
    for (size_t n = 0; n < step.size(); ++n) {
      turn[n] = rz[n] > 0 ? static_cast<float>(next[n] / rz[n]) : 0.0f;
      done = done && next[n] <= kEnough * kEnough * first[n];
    }
    for (size_t i = 0; i < count; ++i) direction[i] = z[i] + turn[i % static_cast<size_t>(p.width)] * direction[i];
    rz = next;
    if (done) break;
  }
}

namespace {

constexpr int64_t kColumns = 16;  // of the weights that are rounded together: one pass over a row of `a` serves them all

// Columns side by side, [depth, kColumns]; those beyond the matrix count as not kept.
struct Columns {
  std::vector<float> w, slope, scale, inverse, low, high;
  std::vector<uint8_t> keep;
};

// One pass of coordinate descent over all elements; whether any moved.
bool sweep(const FitProblem& p, Columns& c) {
  bool moved = false;
  for (int64_t k = 0; k < p.depth; ++k) {
    const float* row = p.a.data() + k * p.depth;
    float *w = c.w.data() + k * kColumns, step[kColumns];
    const float* slope = c.slope.data() + k * kColumns;
    const float *scale = c.scale.data() + k * kColumns, *inverse = c.inverse.data() + k * kColumns;
    const float *low = c.low.data() + k * kColumns, *high = c.high.data() + k * kColumns;
    const uint8_t* keep = c.keep.data() + k * kColumns;
    const float inverse_curvature = 1 / row[k];
    bool any = false;
    for (int64_t n = 0; n < kColumns; ++n) {
      const float code = std::clamp(std::nearbyint((w[n] - slope[n] * inverse_curvature) * inverse[n]), low[n], high[n]);
      step[n] = keep[n] ? code * scale[n] - w[n] : 0.0f;
      any = any || step[n] != 0;
    }
    if (!any) continue;
    moved = true;
    for (int64_t n = 0; n < kColumns; ++n) w[n] += step[n];
    for (int64_t j = 0; j < p.depth; ++j) {
      float* s = c.slope.data() + j * kColumns;
      const float by = row[j];
      for (int64_t n = 0; n < kColumns; ++n) s[n] += step[n] * by;
    }
  }
  return moved;
}

}  // namespace

float Steps::nearest(float w, size_t i) const { return std::clamp(std::nearbyint(w / scale[i]), low[i], high[i]) * scale[i]; }

void round_kept(Products& products, const FitProblem& p, std::span<const uint8_t> keep, const Steps& steps, std::vector<float>& w) {
  for (size_t i = 0; i < w.size(); ++i) w[i] = keep[i] ? steps.nearest(w[i], i) : 0.0f;
  std::vector<float> slope(w.size());
  products.multiply(p.a.data(), w.data(), p.depth, p.depth, p.width, slope.data());
  Columns c;
  const auto size = static_cast<size_t>(p.depth * kColumns);
  for (std::vector<float>* v : {&c.w, &c.slope, &c.low, &c.high}) v->resize(size);
  for (std::vector<float>* v : {&c.scale, &c.inverse}) v->assign(size, 1.0f);
  c.keep.resize(size);
  for (int64_t first = 0; first < p.width; first += kColumns) {
    const int64_t count = std::min(kColumns, p.width - first);
    const auto each = [&](const auto& f) {
      for (int64_t k = 0; k < p.depth; ++k)
        for (int64_t n = 0; n < count; ++n) f(static_cast<size_t>(k * kColumns + n), static_cast<size_t>(k * p.width + first + n));
    };
    std::fill(c.keep.begin(), c.keep.end(), uint8_t{0});
    each([&](size_t in, size_t at) {
      c.w[in] = w[at], c.slope[in] = slope[at] - p.b[at], c.keep[in] = keep[at];
      c.scale[in] = steps.scale[at], c.inverse[in] = 1 / steps.scale[at], c.low[in] = steps.low[at], c.high[in] = steps.high[at];
    });
    for (int i = 0; i < kSweeps && sweep(p, c);) ++i;
    each([&](size_t in, size_t at) { w[at] = c.w[in]; });
  }
}

std::vector<double> bias_shift(const Layer& layer, const Moments& moments, int64_t g, std::span<const float> w0, std::span<const float> w) {
  std::vector<double> shift(static_cast<size_t>(layer.width), 0.0);
  for (int64_t k = 0; k < layer.depth; ++k)
    for (int64_t n = 0; n < layer.width; ++n) {
      const auto i = static_cast<size_t>(k * layer.width + n);
      shift[static_cast<size_t>(n)] += w0[i] * moments.mean_d(g * layer.depth + k) - w[i] * moments.mean_x(g * layer.depth + k);
    }
  return shift;
}

}  // namespace onecard
