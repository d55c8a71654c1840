// Moments, least squares, rounding and the choice of zeros of single layers.
#include <gtest/gtest.h>

#include <cmath>

#include "lib/flow/compression/fit.h"
#include "lib/flow/compression/surgeon.h"
#include "tests/flow/one_layer.h"

namespace onecard {
namespace {

// Mean square of x w + shift - d w0 over all rows.
double error_of(const LayerCase& c, const std::vector<float>& w, bool matched) {
  const std::vector<double> shift = bias_shift(c.layer, c.moments, 0, c.w0, w);
  double sum = 0;
  const int64_t depth = c.layer.depth, width = c.layer.width, rows = c.x.elements() / depth;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t n = 0; n < width; ++n) {
      double e = matched ? shift[static_cast<size_t>(n)] : 0;
      for (int64_t k = 0; k < depth; ++k) {
        const auto i = static_cast<size_t>(k * width + n);
        e += static_cast<double>(c.x.data<float>()[static_cast<size_t>(r * depth + k)]) * w[i] -
             static_cast<double>(c.d.data<float>()[static_cast<size_t>(r * depth + k)]) * c.w0[i];
      }
      sum += e * e;
    }
  return sum / static_cast<double>(rows * width);
}

TEST(Fit, LeastSquaresOnTheSurvivorsBeatsTheMaskAlone) {
  const LayerCase c = noisy_product(512, 24, 9);
  std::vector<uint8_t> keep(c.w0.size());
  for (size_t i = 0; i < keep.size(); ++i) keep[i] = std::abs(c.w0[i]) > 0.6f;
  std::vector<float> masked = c.w0;
  for (size_t i = 0; i < masked.size(); ++i) masked[i] *= keep[i];
  std::vector<float> fitted = masked;
  solve_kept(products(), fit_problem(products(), c.layer, c.moments, 0, c.w0, c.w0), keep, fitted);
  for (size_t i = 0; i < keep.size(); ++i) EXPECT_TRUE(keep[i] || fitted[i] == 0.0f);
  EXPECT_LT(error_of(c, fitted, true), 0.7 * error_of(c, masked, true));
  EXPECT_LT(error_of(c, fitted, true), error_of(c, fitted, false));
}

// The least of w' a w - 2 w' b over the elements of one column that `keep` marks: by elimination.
double least_of(const FitProblem& p, const std::vector<uint8_t>& keep, int64_t column) {
  std::vector<int64_t> on;
  for (int64_t k = 0; k < p.depth; ++k)
    if (keep[static_cast<size_t>(k * p.width + column)]) on.push_back(k);
  const size_t n = on.size();
  std::vector<std::vector<double>> m(n, std::vector<double>(n + 1));
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) m[i][j] = p.a[static_cast<size_t>(on[i] * p.depth + on[j])];
    m[i][n] = p.b[static_cast<size_t>(on[i] * p.width + column)];
  }
  double least = 0;
  for (size_t i = 0; i < n; ++i) {
    least -= m[i][n] * m[i][n] / m[i][i];
    for (size_t j = i + 1; j < n; ++j) {
      const double by = m[j][i] / m[i][i];
      for (size_t k = i; k <= n; ++k) m[j][k] -= by * m[i][k];
    }
  }
  return least;
}

// One element after the other, each the one whose absence costs least: here by trying every one.
TEST(Surgeon, GoesByWhatIsLostWhenTheOthersMakeUpForIt) {
  const LayerCase c = noisy_product(256, 7, 3);
  const FitProblem p = fit_problem(products(), c.layer, c.moments, 0, c.w0, c.w0);
  std::vector<uint8_t> wanted(c.w0.size(), 1);
  constexpr int64_t kZeros = 11;
  std::vector<double> costs;
  for (int64_t z = 0; z < kZeros; ++z) {
    double least = INFINITY;
    size_t best = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (!wanted[i]) continue;
      std::vector<uint8_t> next = wanted;
      next[i] = 0;
      const auto column = static_cast<int64_t>(i) % p.width;
      if (const double cost = least_of(p, next, column) - least_of(p, wanted, column); cost < least) least = cost, best = i;
    }
    wanted[best] = 0;
    costs.push_back(least);
  }
  std::vector<uint8_t> keep;
  keep.resize(c.w0.size());
  const FitProblem* problem = &p;
  std::vector<uint8_t>* kept = &keep;
  const std::vector<float> each = choose_zeros({&problem, 1}, kZeros, {&kept, 1});
  EXPECT_EQ(keep, wanted);
  ASSERT_EQ(each.size(), c.w0.size());  // those that stay, too
  for (size_t z = 0; z < costs.size(); ++z) EXPECT_NEAR(each[z], costs[z], 1e-3 * costs[z] + 1e-6) << z;
}

TEST(Surgeon, CountsOverAllGroupsAndTakesHostileProblems) {
  FitProblem good;
  good.depth = 2, good.width = 1;
  good.a = {2, 0, 0, 2};
  good.b = {4, 2};  // w = 2, 1: they cost 8 and 2
  FitProblem dead = good;
  dead.a = {0, 0, 0, 0};
  dead.b = {0, 0};
  const FitProblem* problems[] = {&good, &dead};
  std::vector<uint8_t> first(2), second(2);
  std::vector<uint8_t>* keep[] = {&first, &second};
  choose_zeros(problems, 3, keep);
  EXPECT_EQ(first, (std::vector<uint8_t>{1, 0}));
  EXPECT_EQ(second, (std::vector<uint8_t>{0, 0}));
}

TEST(Fit, WithoutNoiseAndMaskTheWeightsComeBack) {
  LayerCase c = noisy_product(2048, 8, 5);
  c.x = c.d.clone();
  c.moments = {};
  add_rows(products(), c.moments, c.layer, *c.layer.node->inputs[1]->constant, sample_rows(c.layer, c.x, 2048, 0),
           sample_rows(c.layer, c.d, 2048, 0));
  std::vector<float> fitted(c.w0.size(), 0.0f);
  solve_kept(products(), fit_problem(products(), c.layer, c.moments, 0, c.w0, c.w0), std::vector<uint8_t>(c.w0.size(), 1), fitted);
  for (size_t i = 0; i < fitted.size(); ++i) EXPECT_NEAR(fitted[i], c.w0[i], 2e-3);
}

TEST(Fit, RoundingByErrorBeatsTheNearest) {
  const LayerCase c = noisy_product(512, 32, 21);
  const size_t size = c.w0.size();
  const Steps steps{std::vector<float>(size, 0.25f), std::vector<float>(size, -127.0f), std::vector<float>(size, 127.0f)};
  std::vector<float> nearest = c.w0, found = c.w0;
  for (float& v : nearest) v = std::nearbyint(v / 0.25f) * 0.25f;
  round_kept(products(), fit_problem(products(), c.layer, c.moments, 0, c.w0, c.w0), std::vector<uint8_t>(size, 1), steps, found);
  for (const float v : found) EXPECT_EQ(v, std::nearbyint(v / 0.25f) * 0.25f);
  EXPECT_LT(error_of(c, found, true), 0.8 * error_of(c, nearest, true));
}

// Blocks of four bits: coarse steps that differ along the sums, with ends that clip.
TEST(Fit, RoundingByErrorKeepsToTheStepsOfEveryBlock) {
  const LayerCase c = noisy_product(512, 32, 21);
  const size_t size = c.w0.size();
  Steps steps;
  for (size_t i = 0; i < size; ++i) {
    const bool second = i / 21 >= 16;
    steps.scale.push_back(second ? 0.3f : 0.2f);
    steps.low.push_back(second ? -3.0f : -8.0f);
    steps.high.push_back(second ? 12.0f : 7.0f);
  }
  std::vector<float> nearest = c.w0, found = c.w0;
  for (size_t i = 0; i < size; ++i) nearest[i] = steps.nearest(c.w0[i], i);
  round_kept(products(), fit_problem(products(), c.layer, c.moments, 0, c.w0, c.w0), std::vector<uint8_t>(size, 1), steps, found);
  for (size_t i = 0; i < size; ++i) EXPECT_EQ(found[i], steps.nearest(found[i], i));
  EXPECT_LT(error_of(c, found, true), 0.8 * error_of(c, nearest, true));
}

// Deeper than what is settled before the others hear of it, and no multiple of it: as one element after the other.
TEST(Fit, RoundingInBlocksIsCoordinateDescent) {
  const LayerCase c = noisy_product(700, 300, 19);
  const FitProblem p = fit_problem(products(), c.layer, c.moments, 0, c.w0, c.w0);
  const size_t size = c.w0.size();
  std::vector<uint8_t> keep(size, 1);
  for (size_t i = 0; i < size; i += 7) keep[i] = 0;
  const Steps steps{std::vector<float>(size, 0.25f), std::vector<float>(size, -127.0f), std::vector<float>(size, 127.0f)};
  std::vector<float> found = c.w0, plain(size);
  round_kept(products(), p, keep, steps, found);
  for (size_t i = 0; i < size; ++i) plain[i] = keep[i] ? steps.nearest(c.w0[i], i) : 0;
  for (int sweep = 0; sweep < 3; ++sweep)
    for (size_t i = 0; i < size; ++i) {
      if (!keep[i]) continue;
      const size_t k = i / 19, n = i % 19;
      double slope = -p.b[i];
      for (size_t j = 0; j < 300; ++j) slope += static_cast<double>(p.a[k * 300 + j]) * plain[j * 19 + n];
      plain[i] = steps.nearest(plain[i] - static_cast<float>(slope) / p.a[k * 300 + k], i);
    }
  size_t others = 0;  // a tie that falls the other way moves those behind it
  for (size_t i = 0; i < size; ++i) others += found[i] != plain[i];
  EXPECT_LT(others, size / 100);
}

// Numbers that vary little about a large mean, as those of pictures do: what varies must not drown in it.
TEST(Fit, LargeMeansLeaveWhatVariesExact) {
  for (const int64_t width : {3, 40}) {
    LayerCase c = noisy_product(2048, 24, width);
    for (Tensor* t : {&c.x, &c.d})
      for (float& v : t->data<float>()) v = std::round(v * 64) / 64;  // exact beside the mean too
    const Tensor& w = *c.layer.node->inputs[1]->constant;
    const auto problem = [&](float mean) {
      Tensor x = c.x.clone(), d = c.d.clone();
      for (Tensor* t : {&x, &d})
        for (float& v : t->data<float>()) v += mean;
      Moments m;
      for (int part = 0; part < 2; ++part) add_rows(products(), m, c.layer, w, sample_rows(c.layer, x, 2048, 0), sample_rows(c.layer, d, 2048, 0));
      return fit_problem(products(), c.layer, m, 0, c.w0, std::vector<float>(c.w0.size(), 0.0f));
    };
    const FitProblem plain = problem(0), moved = problem(4096);
    for (size_t i = 0; i < plain.a.size(); ++i) EXPECT_NEAR(plain.a[i], moved.a[i], 1e-3);
    for (size_t i = 0; i < plain.b.size(); ++i) EXPECT_NEAR(plain.b[i], moved.b[i], 1e-2);
  }
}

// With no bias to make up for it, what rounding does to the means counts too.
TEST(Fit, RoundingByErrorMindsMeansThatAreKept) {
  LayerCase c = noisy_product(512, 32, 21);
  for (Tensor* t : {&c.x, &c.d})
    for (int64_t i = 0; i < t->elements(); i += 4)
      t->data<float>()[static_cast<size_t>(i)] += 10;  // every fourth column: the others can make up for it
  c.moments = {};
  add_rows(products(), c.moments, c.layer, *c.layer.node->inputs[1]->constant, sample_rows(c.layer, c.x, 512, 0), sample_rows(c.layer, c.d, 512, 0));
  const size_t size = c.w0.size();
  const Steps steps{std::vector<float>(size, 0.25f), std::vector<float>(size, -127.0f), std::vector<float>(size, 127.0f)};
  const std::vector<uint8_t> keep(size, 1);
  FitProblem p = fit_problem(products(), c.layer, c.moments, 0, c.w0, c.w0);
  std::vector<float> matched = c.w0;
  round_kept(products(), p, keep, steps, matched);
  std::vector<float> kept = matched;
  add_means(p, c.layer, c.moments, 0, c.w0);
  improve_kept(products(), p, keep, steps, kept);
  for (const float v : kept) EXPECT_EQ(v, std::nearbyint(v / 0.25f) * 0.25f);
  EXPECT_LT(error_of(c, kept, false), 0.8 * error_of(c, matched, false));
}

TEST(Fit, MeansAloneMatchAsWellAsWithProducts) {
  LayerCase c = noisy_product(512, 32, 21);
  Moments means{MomentOrder::first};
  add_rows(products(), means, c.layer, *c.layer.node->inputs[1]->constant, sample_rows(c.layer, c.x, 512, 0), sample_rows(c.layer, c.d, 512, 0));
  EXPECT_TRUE(means.xx.empty() && means.xd.empty() && means.xy.empty());
  std::vector<float> rounded = c.w0;
  for (float& v : rounded) v = std::nearbyint(v / 0.25f) * 0.25f;
  EXPECT_EQ(bias_shift(c.layer, means, 0, c.w0, rounded), bias_shift(c.layer, c.moments, 0, c.w0, rounded));
}

// Rows given in two parts, joined or one after the other, of a layer deep enough for several blocks: the same least squares, x d' or x y' summed.
TEST(Fit, SumsOfPartsAreTheSumsOfAll) {
  for (const int64_t width : {3, 400}) {
    LayerCase c = noisy_product(300, 600, width);
    const Tensor& w = *c.layer.node->inputs[1]->constant;
    const Rows x = sample_rows(c.layer, c.x, 300, 0), d = sample_rows(c.layer, c.d, 300, 0);
    EXPECT_EQ(joined(c.layer, {&x}).values, x.values);
    Moments twice;
    add_rows(products(), twice, c.layer, w, x, d);
    add_rows(products(), twice, c.layer, w, x, d);
    Moments both;
    add_rows(products(), both, c.layer, w, joined(c.layer, {&x, &x}), joined(c.layer, {&d, &d}));
    EXPECT_EQ(both.rows, twice.rows);
    EXPECT_EQ(both.xy.empty(), width == 400);
    const std::vector<float> pull(c.w0.size(), 0.0f);
    const FitProblem p = fit_problem(products(), c.layer, twice, 0, c.w0, pull), q = fit_problem(products(), c.layer, both, 0, c.w0, pull);
    for (size_t i = 0; i < p.a.size(); i += 977) EXPECT_NEAR(p.a[i], q.a[i], 1e-3);
    for (int64_t k = 0; k < 600; k += 150) {
      double sum = 0, mean_x = 0, mean_y = 0, square = 0;
      for (int64_t r = 0; r < 300; ++r) {
        const double at = c.x.data<float>()[static_cast<size_t>(r * 600 + k)];
        double y = 0;
        for (int64_t j = 0; j < 600; ++j)
          y += static_cast<double>(c.d.data<float>()[static_cast<size_t>(r * 600 + j)]) * c.w0[static_cast<size_t>(j * width + 1)];
        sum += at * y / 300, mean_x += at / 300, mean_y += y / 300, square += at * c.x.data<float>()[static_cast<size_t>(r * 600 + 599)] / 300;
      }
      const auto i = static_cast<size_t>(k * width + 1);
      for (const FitProblem* f : {&p, &q}) EXPECT_NEAR(f->b[i], sum - mean_x * mean_y, 1e-3 * (1 + std::abs(sum)));
      double mean_last = 0;
      for (int64_t r = 0; r < 300; ++r) mean_last += c.x.data<float>()[static_cast<size_t>(r * 600 + 599)] / 300.0;
      EXPECT_NEAR(p.a[static_cast<size_t>(k * 600 + 599)], square - mean_x * mean_last, 1e-3);
      EXPECT_EQ(p.a[static_cast<size_t>(k * 600 + 599)], p.a[static_cast<size_t>(599 * 600 + k)]);
    }
  }
}

}  // namespace
}  // namespace onecard
