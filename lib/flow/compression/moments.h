#pragma once
#include <vector>

#include "lib/flow/compression/products.h"
#include "lib/flow/compression/rows.h"

namespace onecard {

// What matching means needs to know of rows, or what least squares and rounding need.
enum class MomentOrder : uint8_t { first, second };

// Of the rows x of a compressed network and the rows d of the original at the same places, of which only the sums y = d' w0 of the original's
// weights count: sums of x and d, and for the second order of x x' and of x y', both less a centre (what varies may be small beside the mean), one
// set per group.
struct Moments {
  MomentOrder order = MomentOrder::second;
  int64_t rows = 0;
  std::vector<float> xx{};                    // [groups, depth, depth]; of what lies above the diagonal nothing may be known
  std::vector<float> xd{};                    // [groups, depth, depth]: x d', where these are fewer products than x y' takes
  std::vector<float> xy{};                    // [groups, depth, width], where not
  std::vector<double> x{}, d{};               // [groups, depth]
  std::vector<float> centre_x{}, centre_d{};  // [groups, depth], of the second order: the means of the first rows that came
  bool empty() const { return rows == 0; }
  double mean_x(int64_t i) const { return x[static_cast<size_t>(i)] / static_cast<double>(rows); }
  double mean_d(int64_t i) const { return d[static_cast<size_t>(i)] / static_cast<double>(rows); }
};

// Elements of a layer's x x', which x d' may double; layers beyond the bound have none.
constexpr int64_t kMostMomentElements = int64_t{24} << 20;
int64_t moment_elements(const Layer& layer, MomentOrder order);

// Adds rows of both networks, equally many, to moments of one order; `original` is the weight that multiplies d.
void add_rows(Products& products, Moments& moments, const Layer& layer, const Tensor& original, const Rows& x, const Rows& d);

}  // namespace onecard
