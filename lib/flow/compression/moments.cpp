#include "lib/flow/compression/moments.h"

#include <algorithm>

namespace onecard {

namespace {

void add_sums(const float* rows, int64_t depth, int64_t count, double* sums) {
  constexpr int64_t kLanes = 8;  // that do not wait for each other
  for (int64_t k = 0; k < depth; ++k) {
    const float* const row = rows + k * count;
    double lanes[kLanes] = {};
    int64_t r = 0;
    for (; r + kLanes <= count; r += kLanes)
      for (int64_t i = 0; i < kLanes; ++i) lanes[i] += static_cast<double>(row[r + i]);
    for (; r < count; ++r) lanes[0] += static_cast<double>(row[r]);
    for (const double sum : lanes) sums[k] += sum;
  }
}

constexpr int64_t kBlock = 512;  // rows and columns of x x' summed at a time: what is added stays near

// Adds x x' [depth, depth], x [depth, count], up to the diagonal and what blocks that it crosses hold above it.
void add_square(Products& products, const float* x, int64_t depth, int64_t count, float* sums) {
  for (int64_t i = 0; i < depth; i += kBlock)
    for (int64_t j = 0; j <= i; j += kBlock)
      products.add_second_transposed(x + i * count, x + j * count, std::min(kBlock, depth - i), count, std::min(kBlock, depth - j),
                                     sums + i * depth + j, depth);
}

// Some of the rows of one group less its centre: [depth, count].
std::vector<float> centred(const float* rows, int64_t depth, int64_t count, const float* centre) {
  std::vector<float> less(static_cast<size_t>(depth * count));
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t r = 0; r < count; ++r) less[static_cast<size_t>(k * count + r)] = rows[k * count + r] - centre[k];
  return less;
}

std::vector<float> means_of(const std::vector<double>& sums, int64_t count) {
  std::vector<float> means;
  for (const double s : sums) means.push_back(static_cast<float>(s / static_cast<double>(count)));
  return means;
}

}  // namespace

int64_t moment_elements(const Layer& layer, MomentOrder order) {
  return layer.groups * layer.depth * (order == MomentOrder::second ? layer.depth : 1);
}

void add_rows(Products& products, Moments& moments, const Layer& layer, const Tensor& original, const Rows& x, const Rows& d) {
  if (x.count == 0 || x.count != d.count || moment_elements(layer, moments.order) > kMostMomentElements) return;
  const int64_t depth = layer.depth, width = layer.width;
  const bool second = moments.order == MomentOrder::second, wide = depth <= 2 * width;
  if (moments.x.empty()) {
    if (second) {
      moments.xx.assign(static_cast<size_t>(moment_elements(layer, moments.order)), 0.0f);
      (wide ? moments.xd : moments.xy).assign(static_cast<size_t>(layer.groups * depth * (wide ? depth : width)), 0.0f);
    }
    moments.x.assign(static_cast<size_t>(layer.groups * layer.depth), 0.0);
    moments.d = moments.x;
  }
  for (int64_t g = 0; g < layer.groups; ++g) {
    add_sums(x.group(layer, g), depth, x.count, moments.x.data() + g * depth);
    add_sums(d.group(layer, g), depth, d.count, moments.d.data() + g * depth);
  }
  moments.rows += x.count;
  if (!second) return;
  if (moments.centre_x.empty()) moments.centre_x = means_of(moments.x, moments.rows), moments.centre_d = means_of(moments.d, moments.rows);
  for (int64_t g = 0; g < layer.groups; ++g) {
    const std::vector<float> xs = centred(x.group(layer, g), depth, x.count, moments.centre_x.data() + g * depth),
                             ds = centred(d.group(layer, g), depth, d.count, moments.centre_d.data() + g * depth);
    add_square(products, xs.data(), depth, x.count, moments.xx.data() + g * depth * depth);
    if (wide) {
      products.add_second_transposed(xs.data(), ds.data(), depth, x.count, depth, moments.xd.data() + g * depth * depth, depth);
      continue;
    }
    std::vector<float> y(static_cast<size_t>(x.count * width));
    products.multiply_first_transposed(ds.data(), matrix_of(layer, original, g).data(), x.count, depth, width, y.data());
    products.add(xs.data(), y.data(), depth, x.count, width, moments.xy.data() + g * depth * width);
  }
}

}  // namespace onecard
