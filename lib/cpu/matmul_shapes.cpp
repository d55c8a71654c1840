#include "lib/cpu/matmul_shapes.h"

#include <algorithm>

namespace onecard {
namespace {

// One operand with matrix axes last, `batch` extents before them.
struct Operand {
  Dims batch;
  int64_t rows, columns;
  bool transposed;
};

// 1-D operands are a row on the left, a column on the right, and have nothing to transpose.
Operand operand(const Dims& dims, Transpose2 transpose, bool left) {
  if (dims.size() == 1) return left ? Operand{{}, 1, dims[0], false} : Operand{{}, dims[0], 1, false};
  Operand o{Dims(dims.begin(), dims.end() - 2), dims[dims.size() - 2], dims.back(), transpose == Transpose2::yes};
  if (o.transposed) std::swap(o.rows, o.columns);
  return o;
}

// The bias with y's full rank: matrix axes that a 1-D operand took from y are put back as extents of 1.
Dims full_rank(Dims bias, const Dims& y, bool row_vector, bool column_vector) {
  const size_t y_rank = y.size() - (row_vector ? 1 : 0) - (column_vector ? 1 : 0);
  bias.insert(bias.begin(), y_rank - std::min(y_rank, bias.size()), 1);
  if (row_vector) bias.insert(bias.end() - (column_vector ? 0 : 1), 1);
  if (column_vector) bias.push_back(1);
  return bias;
}

Dims with_matrix(Dims batch, int64_t rows, int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

Dims strides_of(const Dims& dims, bool transposed) {
  Dims stored = dims;
  const size_t r = dims.size();
  if (transposed) std::swap(stored[r - 1], stored[r - 2]);
  Dims strides = row_major_strides(stored);
  if (transposed) std::swap(strides[r - 1], strides[r - 2]);
  return strides;
}

bool all_ones(const Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](int64_t d) { return d == 1; });
}

void pad_front(Dims& dims, size_t rank) { dims.insert(dims.begin(), rank - dims.size(), 1); }

}  // namespace

MatMulShapes matmul_shapes(const MatMul& op, const Dims& a_dims, const Dims& b_dims, const std::optional<Dims>& bias) {
  Operand a = operand(a_dims, op.transpose_a, true), b = operand(b_dims, op.transpose_b, false);
  const size_t batch_rank = std::max(a.batch.size(), b.batch.size());
  pad_front(a.batch, batch_rank);
  pad_front(b.batch, batch_rank);
  Dims batch(batch_rank);
  for (size_t i = 0; i < batch_rank; ++i) batch[i] = std::max(a.batch[i], b.batch[i]);
  MatMulShapes s;
  const Dims y = with_matrix(batch, a.rows, b.columns);
  if (bias) s.bias = full_rank(*bias, y, a_dims.size() == 1, b_dims.size() == 1);
  const bool bias_is_full = bias && s.bias == y;
  const Dims bias_batch = bias ? Dims(s.bias.begin(), s.bias.end() - 2) : Dims();
  const bool bias_row_or_scalar = !bias || (all_ones(bias_batch) && s.bias[s.bias.size() - 2] == 1);
  s.bias_is_row = bias && bias_row_or_scalar && s.bias.back() == b.columns;
  s.flops = 2.0 * static_cast<double>(element_count(y)) * static_cast<double>(a.columns);

  int64_t a_count = element_count(a.batch), b_count = element_count(b.batch);
  const int64_t count = element_count(batch);
  if (b_count == 1 && !a.transposed && (bias_row_or_scalar || bias_is_full || count == 1)) {
    // Every row of every batch meets the same b: one tall matrix.
    const int64_t rows = a_count * a.rows;
    s.a = {rows, a.columns};
    s.b = {b.rows, b.columns};
    s.y = {rows, b.columns};
    if (bias) s.bias = bias_is_full ? s.y : Dims{s.bias[s.bias.size() - 2], s.bias.back()};
  } else if ((a_count == count || a_count == 1) && (b_count == count || b_count == 1) && (!bias || all_ones(bias_batch) || bias_is_full)) {
    s.a = {a_count, a.rows, a.columns};
    s.b = {b_count, b.rows, b.columns};
    s.y = {count, a.rows, b.columns};
    if (bias) s.bias = bias_is_full ? s.y : Dims{1, s.bias[s.bias.size() - 2], s.bias.back()};
  } else {
    s.a = with_matrix(a.batch, a.rows, a.columns);
    s.b = with_matrix(b.batch, b.rows, b.columns);
    s.y = y;
  }
  s.a_strides = strides_of(s.a, a.transposed);
  s.b_strides = strides_of(s.b, b.transposed);
  return s;
}

dnnl::matmul::primitive_desc make_matmul(const OneDnn& library, const dnnl::memory::desc& a, const dnnl::memory::desc& b,
                                         const dnnl::memory::desc& bias, const dnnl::memory::desc& y, const NamedAttr& attr) {
  PrimitiveKey key("matmul " + attr.text);
  key.with(a).with(b).with(bias).with(y).with(attr.attr.get_post_ops());
  return library.known.get<dnnl::matmul::primitive_desc>(key, [&] {
    if (bias.is_zero()) return dnnl::matmul::primitive_desc(library.engine, a, b, y, attr.attr, true);
    return dnnl::matmul::primitive_desc(library.engine, a, b, bias, y, attr.attr, true);
  });
}

}  // namespace onecard
