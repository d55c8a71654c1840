#pragma once
#include <span>
#include <vector>

#include "lib/base/parallel.h"
#include "lib/ops/matmul.h"

namespace onecard {

// numpy.matmul over concrete extents: y[batch..., m, n] = sum over k of a[..., m, k] * b[..., k, n]. A 1-D operand is a row (a) or a column (b)
// whose own extent of 1 is not in y.
struct MatrixProduct {
  int64_t m = 1, n = 1, k = 1;
  std::vector<int64_t> a_at, b_at;                    // per matrix of y: the offsets of its operands' first elements
  int64_t a_row = 0, a_step = 1, b_row = 0, b_column = 1;  // strides along m and k of a, along k and n of b
  Dims y;
};
MatrixProduct matrix_product(const Dims& a, const Dims& b, Transpose2 transpose_a, Transpose2 transpose_b);

// Calls finish_row(at, row) for every row of y; `at` is the row's first element in y. load_a(offset, m) and load_b(offset, n) give the operands'
// elements as Acc, in which the sums are made.
template <class Acc, class LoadA, class LoadB, class FinishRow>
void multiply(const MatrixProduct& p, LoadA&& load_a, LoadB&& load_b, FinishRow&& finish_row) {
  if (p.a_at.empty() || p.m == 0 || p.n == 0) return;
  std::vector<Acc> b(static_cast<size_t>(p.k * p.n));
  int64_t loaded = -1;
  for (size_t batch = 0; batch < p.a_at.size(); ++batch) {
    if (loaded != p.b_at[batch]) {
      loaded = p.b_at[batch];
      for (int64_t k = 0; k < p.k; ++k)
        for (int64_t n = 0; n < p.n; ++n) b[static_cast<size_t>(k * p.n + n)] = load_b(loaded + k * p.b_row + n * p.b_column, n);
    }
    parallel_for(p.m, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, p.k * p.n)), [&](int64_t begin, int64_t end) {
      std::vector<Acc> row(static_cast<size_t>(p.n));
      for (int64_t m = begin; m < end; ++m) {
        std::fill(row.begin(), row.end(), Acc{});
        for (int64_t k = 0; k < p.k; ++k) {
          const Acc a = load_a(p.a_at[batch] + m * p.a_row + k * p.a_step, m);
          const Acc* b_row = b.data() + k * p.n;
          for (int64_t n = 0; n < p.n; ++n) row[static_cast<size_t>(n)] += a * b_row[n];
        }
        finish_row((static_cast<int64_t>(batch) * p.m + m) * p.n, std::span<Acc>(row));
      }
    });
  }
}

// The shape of the same product where extents may be symbolic; raises model when the operands do not fit.
Shape matrix_product_shape(const Shape& a, const Shape& b, Transpose2 transpose_a, Transpose2 transpose_b);

}  // namespace onecard
