#pragma once
#include "lib/runtime/executor.h"

namespace onecard {

// Matrix products of f32, row-major; large ones run on the device, as a network's do. One at a time.
class Products {
 public:
  explicit Products(Device& device);
  // c[m, n] = a[m, k] @ b[k, n]
  void multiply(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c);
  // c[m, n] += a[m, k] @ b[k, n]
  void add(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c);
  // c[m, n] = a' @ b[k, n], a of [k, m]
  void multiply_first_transposed(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c);
  // c[m, n] += a' @ b[k, n], a of [k, m]
  void add_first_transposed(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c);
  // c[m, n] += a[m, k] @ b', b of [n, k]; rows of c lie c_stride apart
  void add_second_transposed(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c, int64_t c_stride);

 private:
  const float* run(Executor& executor, const float* a, const float* b, const Dims& a_dims, const Dims& b_dims);
  Executor plain_, transposed_a_, transposed_b_;
  std::vector<Tensor> result_;
};

}  // namespace onecard
