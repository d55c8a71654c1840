#include "lib/flow/compression/moments.h"

#include "lib/base/parallel.h"
#include "lib/cpu/gemm.h"

namespace onecard {

namespace {

constexpr int64_t kRowsPerPiece = 16;

void multiply_packed(const float* a, const std::vector<float>& packed, int64_t m, int64_t k, int64_t n, float* c, Into into) {
  parallel_for(m, kRowsPerPiece, [&](int64_t begin, int64_t end) { multiply(a + begin * k, k, end - begin, k, packed.data(), n, c + begin * n, n, into); });
}

void add_sums(const float* rows, int64_t depth, int64_t count, double* sums) {
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t r = 0; r < count; ++r) sums[k] += static_cast<double>(rows[k * count + r]);
}

}  // namespace

int64_t moment_elements(const Layer& layer) { return layer.groups * layer.depth * layer.depth; }

void product(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c) {
  std::vector<float> packed(static_cast<size_t>(packed_floats(k, n)));
  pack_columns(b, n, 1, k, n, packed.data());
  multiply_packed(a, packed, m, k, n, c, Into::overwrite);
}

void add_product_transposed(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c) {
  std::vector<float> packed(static_cast<size_t>(packed_floats(k, n)));
  pack_columns(b, 1, k, k, n, packed.data());
  multiply_packed(a, packed, m, k, n, c, Into::add);
}

void add_rows(Moments& moments, const Layer& layer, const Rows& x, const Rows& d) {
  if (x.count == 0 || x.count != d.count || moment_elements(layer) > kMostMomentElements) return;
  if (moments.xx.empty()) {
    moments.xx.assign(static_cast<size_t>(moment_elements(layer)), 0.0f);
    moments.xd = moments.xx;
    moments.x.assign(static_cast<size_t>(layer.groups * layer.depth), 0.0);
    moments.d = moments.x;
  }
  const int64_t depth = layer.depth;
  for (int64_t g = 0; g < layer.groups; ++g) {
    add_product_transposed(x.group(layer, g), x.group(layer, g), depth, x.count, depth, moments.xx.data() + g * depth * depth);
    add_product_transposed(x.group(layer, g), d.group(layer, g), depth, x.count, depth, moments.xd.data() + g * depth * depth);
    add_sums(x.group(layer, g), depth, x.count, moments.x.data() + g * depth);
    add_sums(d.group(layer, g), depth, d.count, moments.d.data() + g * depth);
  }
  moments.rows += x.count;
}

}  // namespace onecard
