#include "lib/cpu/integer_matrices.h"

namespace onecard {
namespace {

Dims batch_of(const Dims& dims) { return Dims(dims.begin(), dims.end() - 2); }

// Offsets of the matrices of an operand for each index of `batch`, whose axes of extent 1 are repeated.
std::vector<int64_t> offsets(const Dims& batch, const Dims& dims, const Dims& strides) {
  std::vector<int64_t> found;
  Dims at(batch.size(), 0);
  for (int64_t i = 0, count = element_count(batch); i < count; ++i) {
    int64_t offset = 0;
    for (size_t a = 0; a < batch.size(); ++a) offset += dims[a] == 1 ? 0 : at[a] * strides[a];
    found.push_back(offset);
    for (size_t a = batch.size(); a-- > 0 && ++at[a] == batch[a];) at[a] = 0;
  }
  return found;
}

}  // namespace

ByteMatrices left_matrices(const MatMulShapes& s, DType a) {
  const size_t r = s.y.size();
  return {sign_of(a), offsets(batch_of(s.y), s.a, s.a_strides), s.a_strides[r - 2], s.a_strides[r - 1]};
}

IntegerProduct byte_matrix_product(const MatMulShapes& s, DType a, DType b, RowForm form, Packing packing) {
  const size_t r = s.y.size();
  const Dims batch = batch_of(s.y);
  IntegerProduct p;
  p.form = form;
  p.count = element_count(batch), p.rows = s.y[r - 2], p.k = s.a[r - 1], p.n = s.y[r - 1];
  p.left = matrix_rows(left_matrices(s, a), p.k);
  p.y = offsets(batch, s.y, row_major_strides(s.y));
  p.y_stride = p.n;
  p.column.assign(static_cast<size_t>(p.count), 0);
  if (packing == Packing::at_launch) {
    p.unpacked = ByteMatrices{sign_of(b), offsets(batch, s.b, s.b_strides), s.b_strides[r - 2], s.b_strides[r - 1]};
    return p;
  }
  Dims packed_strides = row_major_strides(batch_of(s.b));
  for (int64_t& stride : packed_strides) stride *= packed_integer_bytes(form, p.k, p.n);
  p.w = offsets(batch, s.b, packed_strides);
  return p;
}

PackedWeight packed_matrices(size_t index, const MatMulShapes& s, DType b, RowForm form) {
  const size_t r = s.b.size();
  const int64_t k = s.b[r - 2], n = s.b[r - 1];
  const Dims batch = batch_of(s.b);
  PackedWeight packed;
  packed.input = index;
  packed.bytes = element_count(batch) * packed_integer_bytes(form, k, n);
  packed.key = panels_key(form) + ", " + std::to_string(k) + " by " + std::to_string(n) + " at " + std::to_string(s.b_strides[r - 2]) + ", " +
               std::to_string(s.b_strides[r - 1]);
  packed.pack = [=, from = offsets(batch, batch, s.b_strides), row = s.b_strides[r - 2], column = s.b_strides[r - 1]](const Tensor& plain, void* to) {
    for (size_t i = 0; i < from.size(); ++i)
      pack_integers(form, {plain.raw() + from[i], sign_of(b), row, column}, k, n,
                    static_cast<char*>(to) + static_cast<int64_t>(i) * packed_integer_bytes(form, k, n));
  };
  return packed;
}

}  // namespace onecard
