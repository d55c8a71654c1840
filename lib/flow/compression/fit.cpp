#include "lib/flow/compression/fit.h"

#include <algorithm>
#include <cmath>

#include "lib/base/parallel.h"

namespace onecard {

namespace {

constexpr int kIterations = 40;    // of conjugate gradients
constexpr double kEnough = 1e-5;   // of the first residual
constexpr int kSweeps = 3;         // of coordinate descent
constexpr float kMostSteps = 127;  // of a symmetric 8-bit weight

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

FitProblem fit_problem(Products& products, const Layer& layer, const Moments& moments, int64_t g, std::span<const float> w0,
                       std::span<const float> pull) {
  const int64_t depth = layer.depth, width = layer.width, first = g * depth, square = first * depth;
  const double rows = static_cast<double>(moments.rows);
  FitProblem p;
  p.depth = depth;
  p.width = width;
  p.a.resize(static_cast<size_t>(depth * depth));
  std::vector<float> cross(p.a.size());
  for (int64_t i = 0; i < depth; ++i)
    for (int64_t j = 0; j < depth; ++j) {
      const auto at = static_cast<size_t>(i * depth + j);
      p.a[at] = static_cast<float>(moments.xx[static_cast<size_t>(square) + at] / rows - moments.mean_x(first + i) * moments.mean_x(first + j));
      cross[at] = static_cast<float>(moments.xd[static_cast<size_t>(square) + at] / rows - moments.mean_x(first + i) * moments.mean_d(first + j));
    }
  p.b.resize(static_cast<size_t>(depth * width));
  products.multiply(cross.data(), w0.data(), depth, depth, width, p.b.data());
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

void round_kept(Products& products, const FitProblem& p, std::span<const uint8_t> keep, std::span<const float> scale, std::vector<float>& w) {
  const auto nearest = [](float v, float s) { return std::clamp(std::nearbyint(v / s), -kMostSteps, kMostSteps) * s; };
  for (size_t i = 0; i < w.size(); ++i) w[i] = keep[i] ? nearest(w[i], scale[i % static_cast<size_t>(p.width)]) : 0.0f;
  std::vector<float> slope(w.size());
  products.multiply(p.a.data(), w.data(), p.depth, p.depth, p.width, slope.data());
  parallel_for(p.width, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> g(static_cast<size_t>(p.depth));
    for (int64_t n = begin; n < end; ++n) {
      const float s = scale[static_cast<size_t>(n)];
      for (int64_t k = 0; k < p.depth; ++k)
        g[static_cast<size_t>(k)] = slope[static_cast<size_t>(k * p.width + n)] - p.b[static_cast<size_t>(k * p.width + n)];
      bool moved = true;
      for (int sweep = 0; sweep < kSweeps && moved; ++sweep) {
        moved = false;
        for (int64_t k = 0; k < p.depth; ++k) {
          const auto i = static_cast<size_t>(k * p.width + n);
          if (!keep[i]) continue;
          const float* row = p.a.data() + k * p.depth;
          const float best = nearest(w[i] - g[static_cast<size_t>(k)] / row[k], s), step = best - w[i];
          if (step == 0) continue;
          w[i] = best;
          moved = true;
          for (int64_t j = 0; j < p.depth; ++j) g[static_cast<size_t>(j)] += step * row[j];
        }
      }
    }
  });
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
