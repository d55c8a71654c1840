#include "lib/ops/matrix_product.h"

#include "lib/ops/binary.h"
#include "lib/ops/broadcast_index.h"

namespace onecard {
namespace {

// For each index of `batch`, where the operand's matrix begins, its matrices of `unit` elements being broadcast over the batch.
std::vector<int64_t> matrix_offsets(const Dims& batch, const Dims& operand_batch, int64_t unit) {
  std::vector<int64_t> at(static_cast<size_t>(element_count(batch)));
  const std::array strides{broadcast_strides(operand_batch, batch)};
  walk(batch, strides, 0, static_cast<int64_t>(at.size()),
       [&](int64_t i, const std::array<int64_t, 1>& offset) { at[static_cast<size_t>(i)] = offset[0] * unit; });
  return at;
}

}  // namespace

MatrixProduct matrix_product(const Dims& a, const Dims& b, Transpose2 transpose_a, Transpose2 transpose_b) {
  MatrixProduct p;
  p.y = matrix_product_shape(Shape::of(a), Shape::of(b), transpose_a, transpose_b).numbers();
  const bool row = a.size() == 1, column = b.size() == 1, ta = transpose_a == Transpose2::yes, tb = transpose_b == Transpose2::yes;
  p.k = row || ta ? (row ? a[0] : a[a.size() - 2]) : a.back();
  p.m = row ? 1 : a[a.size() - (ta ? 1 : 2)];
  p.n = column ? 1 : b[b.size() - (tb ? 2 : 1)];
  p.a_row = ta ? 1 : p.k;
  p.a_step = ta ? p.m : 1;
  p.b_row = column || tb ? 1 : p.n;
  p.b_column = tb ? p.k : 1;
  const Dims batch_a(a.begin(), a.end() - (row ? 1 : 2)), batch_b(b.begin(), b.end() - (column ? 1 : 2));
  const Dims batch = broadcast(Shape::of(batch_a), Shape::of(batch_b)).numbers();
  p.a_at = matrix_offsets(batch, batch_a, element_count({p.m, p.k}));
  p.b_at = matrix_offsets(batch, batch_b, element_count({p.k, p.n}));
  return p;
}

Shape matrix_product_shape(const Shape& a, const Shape& b, Transpose2 transpose_a, Transpose2 transpose_b) {
  if (!a.has_rank() || !b.has_rank()) return Shape::unranked();
  const int64_t ra = a.rank(), rb = b.rank();
  require(ra >= 1 && rb >= 1, ErrorKind::model, "a matrix product needs operands of rank 1 or more, got ", a, " and ", b);
  const bool ta = transpose_a == Transpose2::yes, tb = transpose_b == Transpose2::yes;
  require((ra > 1 || !ta) && (rb > 1 || !tb), ErrorKind::model, "a 1-D operand cannot be transposed");
  const Dim& ka = a[ra == 1 ? 0 : ra - (ta ? 2 : 1)];
  const Dim& kb = b[rb == 1 ? 0 : rb - (tb ? 1 : 2)];
  require(!ka.is_number() || !kb.is_number() || ka == kb, ErrorKind::model, "the inner extents differ: ", a, " and ", b,
          ta ? ", first transposed" : "", tb ? ", second transposed" : "");
  const auto batch_of = [](const Shape& s) { return Shape(std::vector<Dim>(s.dims().begin(), s.dims().end() - std::min<int64_t>(2, s.rank()))); };
  std::vector<Dim> y = broadcast(batch_of(a), batch_of(b)).dims();
  if (ra > 1) y.push_back(a[ra - (ta ? 1 : 2)]);
  if (rb > 1) y.push_back(b[rb - (tb ? 2 : 1)]);
  return Shape(std::move(y));
}

}  // namespace onecard
