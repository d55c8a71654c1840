#pragma once
#include <vector>

#include "lib/flow/compression/products.h"
#include "lib/flow/compression/rows.h"

namespace onecard {

// What least squares and rounding need to know of the rows x of a compressed network and the rows d of the original at the same places, of
// which only the sums y = d' w0 of the original's weights count: sums of x x', x y', x and d, one set per group.
struct Moments {
  int64_t rows = 0;
  std::vector<float> xx;     // [groups, depth, depth]
  std::vector<float> xy;     // [groups, depth, width]
  std::vector<double> x, d;  // [groups, depth]
  bool empty() const { return rows == 0; }
  double mean_x(int64_t i) const { return x[static_cast<size_t>(i)] / static_cast<double>(rows); }
  double mean_d(int64_t i) const { return d[static_cast<size_t>(i)] / static_cast<double>(rows); }
};

// Elements of a layer's largest moments; layers beyond the bound have none.
constexpr int64_t kMostMomentElements = int64_t{24} << 20;
int64_t moment_elements(const Layer& layer);

// Adds rows of both networks, equally many; `original` is the weight that multiplies d.
void add_rows(Products& products, Moments& moments, const Layer& layer, const Tensor& original, const Rows& x, const Rows& d);

}  // namespace onecard
