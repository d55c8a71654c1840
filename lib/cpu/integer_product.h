#pragma once
#include <limits>

#include "lib/cpu/integer_finish.h"
#include "lib/cpu/integer_gemm.h"

namespace onecard {

struct IntegerOperands;

// Where left rows go: `stride` elements of the form apart, each with the zero point that it still holds and, where `scale` is not null, that
// of its codes.
struct RowBlock {
  RowForm form = RowForm::pairs;
  void* data = nullptr;
  int64_t stride = 0;
  int32_t* zero = nullptr;
  float* scale = nullptr;
  void* row(int64_t i) const { return static_cast<char*>(data) + i * stride * element_bytes(form); }
  // Row i holds codes of this sign and meaning.
  void set(int64_t i, ByteSign sign, const PerTensor& codes) const {
    zero[i] = row_zero(form, sign, codes.zero);
    if (scale) scale[i] = codes.scale;
  }
};
// The left operands of integer products, row by row.
class IntegerRows {
 public:
  virtual ~IntegerRows() = default;
  // Rows [first, first + count) of product `index`, each of k elements.
  virtual void fill(const IntegerOperands& with, int64_t index, int64_t first, int64_t count, const RowBlock& to) const = 0;
};
// Rows of matrices: element (i, j) of product p lies at offset[p] + i * row_stride + j * column_stride.
struct ByteMatrices {
  ByteSign sign = ByteSign::is_signed;
  std::vector<int64_t> offset;
  int64_t row_stride = 0, column_stride = 1;
};
std::shared_ptr<const IntegerRows> matrix_rows(ByteMatrices matrices, int64_t k);

// What a launch brings. `w_zero` (per column, padded; null: zeros) is what packed_zero makes of the stored ones.
struct IntegerOperands {
  const void *x = nullptr, *w = nullptr, *residual = nullptr;
  const float* bias = nullptr;  // null: none
  int64_t bias_count = 0;       // one, or one per column of all products
  const int32_t* w_zero = nullptr;
  const PerTensor* x_codes = nullptr;  // what x's codes mean: of its elements [0, code_elements), of the next as many, ...
  int64_t code_elements = std::numeric_limits<int64_t>::max();
  const PerTensor& codes_at(int64_t element) const { return x_codes[element / code_elements]; }
  void *y = nullptr, *workspace = nullptr;
};

// Whether the scale of x's codes is in that of the columns, or differs from row to row and is multiplied in while finishing.
enum class RowScales : uint8_t { one, each };

// y_p[rows, n] = finish(x_p[rows, k] @ w_p[k, n]) for `count` products p: groups of a convolution, matrices of a batch.
struct IntegerProduct {
  int64_t count = 1, rows = 0, k = 0, n = 0;
  RowForm form = RowForm::pairs;
  std::shared_ptr<const IntegerRows> left;
  // Where each product's right operand, output and columns (of scale, bias and zero points) start. w is packed, offsets in bytes; or it is
  // packed while running, from these matrices.
  std::vector<int64_t> w, y, column;
  std::optional<ByteMatrices> unpacked;
  int64_t y_stride = 0;      // from one row of y and residual to the next, in elements
  std::vector<float> scale;  // per column; empty for i32
  RowScales row_scales = RowScales::one;
  IntegerFinish finish;

  // Chooses how threads share the work; the bytes of workspace needed.
  int64_t share(int threads);
  void run(const IntegerOperands& with) const;
  double flops() const { return 2.0 * static_cast<double>(count * rows) * static_cast<double>(k * n); }

 private:
  struct Slot;
  Slot slot_of(const IntegerOperands& with, int64_t index) const;
  void run_unit(const IntegerOperands& with, const Slot& slot, int64_t unit, int64_t& packed) const;
  void run_block(const IntegerOperands& with, const Slot& slot, int64_t product, int64_t first, int64_t count, int64_t panel, int64_t last) const;

  int64_t row_parts_ = 1, column_parts_ = 1;  // one unit of work is a part of the rows by a part of the panels of one product
  int64_t block_rows_ = 1, slots_ = 1, slot_bytes_ = 0, columns_bytes_ = 0, panels_ = 0, columns_ = 0;
};

// Pads a vector of columns so that a whole panel can be read from any of them.
template <class T>
std::vector<T> padded_columns(std::vector<T> v) {
  v.resize(v.size() + static_cast<size_t>(integer_panel_columns()));
  return v;
}
// The form for codes with this zero point: one beyond its bytes cannot stand for 0 among them.
inline RowForm form_for(DType x, int32_t zero) {
  const int32_t low = x == DType::u8 ? 0 : -128;
  return zero < low || zero > low + 255 ? RowForm::pairs : best_row_form();
}
// Names weights packed so, for PackedWeight::key.
std::string panels_key(RowForm form);
// How bytes of this type are read.
inline ByteSign sign_of(DType t) { return t == DType::u8 ? ByteSign::is_unsigned : ByteSign::is_signed; }
// A stored zero point after packing as int8.
inline int32_t packed_zero(DType t, int32_t zero) { return t == DType::u8 ? zero - 128 : zero; }

// Zero points that are inputs of a node: of x one, of w one or one per column.
class ZeroPoints {
 public:
  ZeroPoints(const KernelQuery& q, size_t x, size_t w, int64_t columns);
  int64_t workspace_bytes() const;
  // Sets x_codes and w_zero, both in `space`.
  void read(const LaunchArgs& args, void* space, IntegerOperands& with) const;

 private:
  int64_t columns_bytes() const;
  size_t x_, w_;
  DType x_type_, w_type_;
  int64_t columns_, w_count_ = 0;
};

}  // namespace onecard
