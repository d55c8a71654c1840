#include "lib/flow/compression/products.h"

#include <algorithm>

#include "lib/ops/matmul.h"

namespace onecard {

namespace {

constexpr int64_t kSmall = 1 << 15;  // multiplications that are done before a run would have begun

GraphPtr product_graph(Transpose2 transpose_a, Transpose2 transpose_b) {
  Graph g;
  const Dim m = Dim::symbol("m"), k = Dim::symbol("k"), n = Dim::symbol("n");
  Value* a = g.add_input("a", TensorType(DType::f32, transpose_a == Transpose2::yes ? Shape({k, m}) : Shape({m, k})));
  Value* b = g.add_input("b", TensorType(DType::f32, transpose_b == Transpose2::yes ? Shape({n, k}) : Shape({k, n})));
  MatMul op;
  op.transpose_a = transpose_a;
  op.transpose_b = transpose_b;
  g.outputs.push_back(g.add(std::make_shared<const MatMul>(op), {a, b}, "c").output());
  return std::make_shared<const Graph>(std::move(g));
}

void add_to(float* c, int64_t c_stride, const float* sums, int64_t m, int64_t n) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t l = 0; l < n; ++l) c[i * c_stride + l] += sums[i * n + l];
}

}  // namespace

Products::Products(Device& device)
    : plain_(product_graph(Transpose2::no, Transpose2::no), device),
      transposed_a_(product_graph(Transpose2::yes, Transpose2::no), device),
      transposed_b_(product_graph(Transpose2::no, Transpose2::yes), device) {}

const float* Products::run(Executor& executor, const float* a, const float* b, const Dims& a_dims, const Dims& b_dims) {
  const Tensor left = Tensor::view(TensorType(DType::f32, Shape::of(a_dims)), a), right = Tensor::view(TensorType(DType::f32, Shape::of(b_dims)), b);
  executor.run({&left, &right}, result_);
  return result_.at(0).data<float>().data();
}

void Products::multiply(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c) {
  if (m * k * n > kSmall) {
    std::copy_n(run(plain_, a, b, {m, k}, {k, n}), m * n, c);
    return;
  }
  std::fill_n(c, m * n, 0.0f);
  add(a, b, m, k, n, c);
}

void Products::add(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c) {
  if (m * k * n > kSmall) {
    add_to(c, n, run(plain_, a, b, {m, k}, {k, n}), m, n);
    return;
  }
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < k; ++j)
      for (int64_t l = 0; l < n; ++l) c[i * n + l] += a[i * k + j] * b[j * n + l];
}

void Products::multiply_first_transposed(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c) {
  if (m * k * n > kSmall) {
    std::copy_n(run(transposed_a_, a, b, {k, m}, {k, n}), m * n, c);
    return;
  }
  std::fill_n(c, m * n, 0.0f);
  add_first_transposed(a, b, m, k, n, c);
}

void Products::add_first_transposed(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c) {
  if (m * k * n > kSmall) {
    add_to(c, n, run(transposed_a_, a, b, {k, m}, {k, n}), m, n);
    return;
  }
  for (int64_t j = 0; j < k; ++j)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t l = 0; l < n; ++l) c[i * n + l] += a[j * m + i] * b[j * n + l];
}

void Products::add_second_transposed(const float* a, const float* b, int64_t m, int64_t k, int64_t n, float* c, int64_t c_stride) {
  if (m * k * n > kSmall) {
    add_to(c, c_stride, run(transposed_b_, a, b, {m, k}, {n, k}), m, n);
    return;
  }
  for (int64_t i = 0; i < m; ++i)
    for (int64_t l = 0; l < n; ++l) {
      float sum = 0;
      for (int64_t j = 0; j < k; ++j) sum += a[i * k + j] * b[l * k + j];
      c[i * c_stride + l] += sum;
    }
}

}  // namespace onecard
