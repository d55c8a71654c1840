#include "lib/flow/compression/moments.h"

namespace onecard {

namespace {

void add_sums(const float* rows, int64_t depth, int64_t count, double* sums) {
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t r = 0; r < count; ++r) sums[k] += static_cast<double>(rows[k * count + r]);
}

}  // namespace

int64_t moment_elements(const Layer& layer) { return layer.groups * layer.depth * layer.depth; }

void add_rows(Products& products, Moments& moments, const Layer& layer, const Tensor& original, const Rows& x, const Rows& d) {
  if (x.count == 0 || x.count != d.count || moment_elements(layer) > kMostMomentElements) return;
  if (moments.xx.empty()) {
    moments.xx.assign(static_cast<size_t>(moment_elements(layer)), 0.0f);
    moments.xy.assign(static_cast<size_t>(layer.groups * layer.depth * layer.width), 0.0f);
    moments.x.assign(static_cast<size_t>(layer.groups * layer.depth), 0.0);
    moments.d = moments.x;
  }
  const int64_t depth = layer.depth, width = layer.width;
  std::vector<float> y(static_cast<size_t>(x.count * width));
  for (int64_t g = 0; g < layer.groups; ++g) {
    products.add_second_transposed(x.group(layer, g), x.group(layer, g), depth, x.count, depth, moments.xx.data() + g * depth * depth);
    products.multiply_first_transposed(d.group(layer, g), matrix_of(layer, original, g).data(), x.count, depth, width, y.data());
    products.add(x.group(layer, g), y.data(), depth, x.count, width, moments.xy.data() + g * depth * width);
    add_sums(x.group(layer, g), depth, x.count, moments.x.data() + g * depth);
    add_sums(d.group(layer, g), depth, d.count, moments.d.data() + g * depth);
  }
  moments.rows += x.count;
}

}  // namespace onecard
