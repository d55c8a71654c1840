#include "lib/cpu/sparse_matmul.h"

namespace onecard {

MatMulShapes sparse_shapes(const MatMul& op, const KernelQuery& q) {
  const auto bias = q.has(2) ? std::optional(q.in[2].shape.numbers()) : std::nullopt;
  return matmul_shapes(op, q.in[0].shape.numbers(), q.in[1].shape.numbers(), bias);
}

Support sparse_shapes_fit(const MatMul& op, const KernelQuery& q, const SparseRule& rule) {
  if (!q.constants[1]) return no("b is no constant");
  const MatMulShapes s = sparse_shapes(op, q);
  if (s.a.size() != 2 || s.b.size() != 2 || s.a_strides != row_major_strides(s.a)) return no("not one matrix of rows times a constant one");
  if (q.has(2) && !s.bias_is_row && element_count(s.bias) != 1) return no("the bias is no row: " + q.in[2].text());
  if (s.a[0] < 1 || s.a[0] > rule.most_rows)
    return no(std::to_string(s.a[0]) + " rows: zeros in b are left out for 1 to " + std::to_string(rule.most_rows));
  const int64_t bytes = q.in[1].bytes();
  if (bytes < rule.fewest_bytes) return no("b has " + std::to_string(bytes) + " bytes: it stays in the cache as it is");
  return yes();
}

Support sparse_share_fits(std::optional<int64_t> nonzeros, int64_t elements, const SparseRule& rule) {
  if (!nonzeros) return no("b has few zeros, or how many is not known before it is read");
  const double zeros = static_cast<double>(elements - *nonzeros) / static_cast<double>(elements);
  return zeros >= rule.fewest_zeros
             ? yes()
             : no("too few elements of b are zero: " + std::to_string(elements - *nonzeros) + " of " + std::to_string(elements));
}

SparseSource sparse_source(const MatMulShapes& s) { return {s.b[0], s.b[1], s.b_strides[0], s.b_strides[1]}; }

}  // namespace onecard
