#include "lib/flow/compression/fit.h"

#include <algorithm>

#include "lib/base/round_small.h"

namespace onecard {

namespace {

constexpr int64_t kTile = 64;     // columns of a matrix that is mirrored
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

// What columns of w [depth, width] give for one row, row(k) its elements.
template <class Row>
std::vector<double> sums_of(const Row& row, std::span<const float> w, int64_t depth, int64_t width) {
  std::vector<double> sums(static_cast<size_t>(width), 0.0);
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t n = 0; n < width; ++n) sums[static_cast<size_t>(n)] += row(k) * static_cast<double>(w[static_cast<size_t>(k * width + n)]);
  return sums;
}

}  // namespace

FitProblem fit_problem(Products& products, const Layer& layer, const Moments& moments, int64_t g, std::span<const float> w0,
                       std::span<const float> pull) {
  const int64_t depth = layer.depth, width = layer.width, first = g * depth, square = first * depth;
  const double rows = static_cast<double>(moments.rows);
  // How far the mean is from the centre of what was summed.
  const auto off_x = [&](int64_t k) { return moments.mean_x(first + k) - static_cast<double>(moments.centre_x[static_cast<size_t>(first + k)]); };
  const auto off_d = [&](int64_t k) { return moments.mean_d(first + k) - static_cast<double>(moments.centre_d[static_cast<size_t>(first + k)]); };
  FitProblem p;
  p.depth = depth;
  p.width = width;
  p.a.resize(static_cast<size_t>(depth * depth));
  for (int64_t tile = 0; tile < depth; tile += kTile)
    for (int64_t i = tile; i < depth; ++i)
      for (int64_t j = tile; j < std::min(tile + kTile, i + 1); ++j) {
        const double moment = static_cast<double>(moments.xx[static_cast<size_t>(square + i * depth + j)]) / rows;
        const auto covariance = static_cast<float>(moment - off_x(i) * off_x(j));
        p.a[static_cast<size_t>(i * depth + j)] = p.a[static_cast<size_t>(j * depth + i)] = covariance;
      }
  const std::vector<double> off_y = sums_of(off_d, w0, depth, width);
  p.b.resize(static_cast<size_t>(depth * width));
  if (moments.xy.empty()) products.multiply(moments.xd.data() + square, w0.data(), depth, depth, width, p.b.data());
  else std::copy_n(moments.xy.data() + first * width, depth * width, p.b.data());
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t n = 0; n < width; ++n)
      p.b[static_cast<size_t>(k * width + n)] =
          static_cast<float>(static_cast<double>(p.b[static_cast<size_t>(k * width + n)]) / rows - off_x(k) * off_y[static_cast<size_t>(n)]);
  const double share = 0.01 + 0.1 * static_cast<double>(depth) / rows;
  const auto ridge = static_cast<float>(std::max(share * mean_diagonal(p.a, depth), 1e-20));
  for (int64_t k = 0; k < depth; ++k) p.a[static_cast<size_t>(k * depth + k)] += ridge;
  for (size_t i = 0; i < p.b.size(); ++i) p.b[i] += ridge * pull[i];
  return p;
}

void add_means(FitProblem& p, const Layer& layer, const Moments& moments, int64_t g, std::span<const float> w0) {
  const int64_t first = g * layer.depth;
  const std::vector<double> mean_y = sums_of([&](int64_t k) { return moments.mean_d(first + k); }, w0, p.depth, p.width);
  for (int64_t i = 0; i < p.depth; ++i) {
    const double mean = moments.mean_x(first + i);
    for (int64_t j = 0; j < p.depth; ++j) p.a[static_cast<size_t>(i * p.depth + j)] += static_cast<float>(mean * moments.mean_x(first + j));
    for (int64_t n = 0; n < p.width; ++n) p.b[static_cast<size_t>(i * p.width + n)] += static_cast<float>(mean * mean_y[static_cast<size_t>(n)]);
  }
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

constexpr int64_t kColumns = 16;  // settled side by side, a vector of each
constexpr int64_t kRows = 128;    // settled before the others' slopes hear of it: what one product then does costs a tenth of what each row would

// Descends over rows first to first + count of columns column to column + kColumns at most, with the slopes as they would be after each move;
// writes the moves to step [count, width]. Whether any moved.
bool descend(const FitProblem& p, std::span<const uint8_t> keep, const Steps& steps, std::span<const float> slope, int64_t first, int64_t count,
             int64_t column, std::span<float> w, std::span<float> step) {
  const int64_t columns = std::min(kColumns, p.width - column);
  float local[kRows][kColumns] = {};
  for (int64_t i = 0; i < count; ++i) std::copy_n(&slope[static_cast<size_t>((first + i) * p.width + column)], columns, local[i]);
  bool moved = false;
  for (int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<size_t>((first + i) * p.width + column);
    const float* const row = p.a.data() + (first + i) * p.depth + first;
    const float inverse_curvature = 1 / row[i];
    float by[kColumns] = {};
    bool any = false;
    for (int64_t n = 0; n < columns; ++n) {
      const size_t e = at + static_cast<size_t>(n);
      if (keep[e]) by[n] = steps.nearest(w[e] - local[i][n] * inverse_curvature, e) - w[e];
      any = any || by[n] != 0;
    }
    std::copy_n(by, columns, &step[static_cast<size_t>(i * p.width + column)]);
    if (!any) continue;
    moved = true;
    for (int64_t n = 0; n < columns; ++n) w[at + static_cast<size_t>(n)] += by[n];
    for (int64_t j = i + 1; j < count; ++j)
      for (int64_t n = 0; n < kColumns; ++n) local[j][n] += by[n] * row[j];
  }
  return moved;
}

// One pass of coordinate descent over all elements, first to last; whether any moved.
bool sweep(Products& products, const FitProblem& p, std::span<const uint8_t> keep, const Steps& steps, std::span<float> slope, std::span<float> w) {
  const int64_t rows = std::min(kRows, p.depth);
  std::vector<float> step(static_cast<size_t>(rows * p.width));
  bool moved = false;
  for (int64_t done = 0; done < p.depth; done += rows) {
    // The last block reaches back over rows that stand still, so that all products have one shape.
    const int64_t first = std::min(done, p.depth - rows), still = done - first;
    std::fill_n(step.begin(), still * p.width, 0.0f);
    const std::span<float> moves = std::span(step).subspan(static_cast<size_t>(still * p.width));
    bool any = false;
    for (int64_t column = 0; column < p.width; column += kColumns) any = descend(p, keep, steps, slope, done, rows - still, column, w, moves) || any;
    if (any) products.add_first_transposed(p.a.data() + first * p.depth, step.data(), p.depth, rows, p.width, slope.data());
    moved = moved || any;
  }
  return moved;
}

}  // namespace

float Steps::nearest(float w, size_t i) const { return round_small(std::clamp(w / scale[i], low[i], high[i])) * scale[i]; }

void round_kept(Products& products, const FitProblem& p, std::span<const uint8_t> keep, const Steps& steps, std::vector<float>& w) {
  for (size_t i = 0; i < w.size(); ++i) w[i] = keep[i] ? steps.nearest(w[i], i) : 0.0f;
  improve_kept(products, p, keep, steps, w);
}

void improve_kept(Products& products, const FitProblem& p, std::span<const uint8_t> keep, const Steps& steps, std::span<float> w) {
  std::vector<float> slope(w.size());
  products.multiply(p.a.data(), w.data(), p.depth, p.depth, p.width, slope.data());
  for (size_t i = 0; i < w.size(); ++i) slope[i] -= p.b[i];
  for (int i = 0; i < kSweeps && sweep(products, p, keep, steps, slope, w);) ++i;
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
