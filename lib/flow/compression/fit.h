#pragma once
#include <vector>

#include "lib/flow/compression/moments.h"

namespace onecard {

// The weights w of one group that keep the layer's sums where the original has them: the least of
//   sum over rows |(x - mean x)' w - (d - mean d)' w0|^2 / rows + ridge |w - pull|^2,  that is  w' a w - 2 w' b.
// The means are then matched by the bias.
struct FitProblem {
  int64_t depth = 0, width = 0;
  std::vector<float> a;  // [depth, depth], ridge included
  std::vector<float> b;  // [depth, width]
};
// Of moments of the second order; w0 [depth, width] multiplies the original's rows, pull is where w is drawn to: w0 in the units of the compressed
// network's rows.
FitProblem fit_problem(Products& products, const Layer& layer, const Moments& moments, int64_t g, std::span<const float> w0,
                       std::span<const float> pull);

// Makes it the problem where the means are kept: none is taken away, for nothing else makes up for what w does to them.
void add_means(FitProblem& problem, const Layer& layer, const Moments& moments, int64_t g, std::span<const float> w0);

// Solves it over the elements that `keep` marks (others stay 0), by conjugate gradients from w on, all columns at once.
void solve_kept(Products& products, const FitProblem& problem, std::span<const uint8_t> keep, std::vector<float>& w);

// What the elements of a matrix may become, [depth, width] each: scale times the whole numbers from low to high.
struct Steps {
  std::vector<float> scale, low, high;
  float nearest(float w, size_t i) const;
};
// Rounds w to its steps such that the sums suffer least: from the nearest, then element by element to its best neighbour while the others stand
// still (coordinate descent). Elements not kept stay 0.
void round_kept(Products& products, const FitProblem& problem, std::span<const uint8_t> keep, const Steps& steps, std::vector<float>& w);
// The same from w on, which is of its steps.
void improve_kept(Products& products, const FitProblem& problem, std::span<const uint8_t> keep, const Steps& steps, std::span<float> w);

// What the bias must gain so that the layer's mean outputs are the original's: w0' mean d - w' mean x.
std::vector<double> bias_shift(const Layer& layer, const Moments& moments, int64_t g, std::span<const float> w0, std::span<const float> w);

}  // namespace onecard
