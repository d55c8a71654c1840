#include "lib/ops/matmul_integer.h"

#include <cmath>

#include "lib/ops/integer_range.h"
#include "lib/ops/matmul.h"
#include "lib/ops/matrix_product.h"
#include "lib/ops/operands.h"
#include "lib/ops/quantize_linear.h"

namespace onecard {
DEFINE_OP(MatMulInteger)
DEFINE_OP(QLinearMatMul)
namespace {

constexpr OnnxName kIntegerNames[] = {{"", "MatMulInteger", 10}};
constexpr OnnxName kLinearNames[] = {{"", "QLinearMatMul", 10}};

const TensorType& byte_matrix(const InferContext& in, size_t i) {
  const TensorType& t = plain_tensor(in, i);
  require(t.dtype == DType::i8 || t.dtype == DType::u8, ErrorKind::model, "input ", i, " is ", info(t.dtype).name, "; it must be i8 or u8");
  return t;
}

// Scales or zero points: one, or `count` along the rows or columns.
void require_count(const InferContext& in, size_t i, const Dim& count) {
  if (!in.has(i) || !plain_tensor(in, i).shape.is_static()) return;
  const auto n = element_count(in.shape(i).numbers());
  require(n == 1 || !count.is_number() || n == count.number(), ErrorKind::model, "input ", i, " is ", in.type(i), " where one or ", count,
          " numbers are wanted");
}
Dim rows_of(const Shape& a) { return !a.has_rank() ? Dim::unknown() : a.rank() < 2 ? Dim(1) : a[a.rank() - 2]; }
Dim columns_of(const Shape& b) { return !b.has_rank() ? Dim::unknown() : b.rank() < 2 ? Dim(1) : b[b.rank() - 1]; }

// One number, or one per row or column; `otherwise` when the input is absent.
struct PerLine {
  std::vector<double> values;
  PerLine(const Tensor* t, double otherwise, int64_t lines) : values(t ? to_doubles(*t) : std::vector<double>{otherwise}) {
    require(values.size() == 1 || values.size() == static_cast<size_t>(lines), ErrorKind::model, values.size(), " scales or zero points for ", lines,
            " rows or columns");
  }
  double operator[](int64_t line) const { return values.size() == 1 ? values[0] : values[static_cast<size_t>(line)]; }
};

const Tensor* input(Inputs in, size_t i) { return i < in.size() ? in[i] : nullptr; }

// Calls finish_row(at, sums) for every row of the product of the centred operands.
template <class F>
void exact_product(const MatrixProduct& p, const Tensor& a, const Tensor* a_zero, const Tensor& b, const Tensor* b_zero, F&& finish_row) {
  const auto as = to_ints(a), bs = to_ints(b);
  const PerLine za(a_zero, 0, p.m), zb(b_zero, 0, p.n);
  multiply<int64_t>(
      p, [&](int64_t at, int64_t m) { return as[static_cast<size_t>(at)] - static_cast<int64_t>(za[m]); },
      [&](int64_t at, int64_t n) { return bs[static_cast<size_t>(at)] - static_cast<int64_t>(zb[n]); }, finish_row);
}

}  // namespace

const std::span<const OnnxName> MatMulInteger::kOnnx{kIntegerNames};

std::vector<TensorType> MatMulInteger::infer(const InferContext& in) const {
  const TensorType &a = byte_matrix(in, 0), &b = byte_matrix(in, 1);
  require_count(in, 2, rows_of(a.shape));
  require_count(in, 3, columns_of(b.shape));
  return {TensorType(DType::i32, matrix_product_shape(a.shape, b.shape, Transpose2::no, Transpose2::no))};
}

void MatMulInteger::reference(Inputs in, Outputs out) const {
  const MatrixProduct p = matrix_product(in[0]->dims(), in[1]->dims(), Transpose2::no, Transpose2::no);
  shape_output(out[0], DType::i32, p.y);
  const auto y = out[0].data<int32_t>();
  exact_product(p, *in[0], input(in, 2), *in[1], input(in, 3), [&](int64_t at, std::span<int64_t> row) {
    for (size_t n = 0; n < row.size(); ++n) y[static_cast<size_t>(at) + n] = static_cast<int32_t>(row[n]);  // wraps as i32 sums do
  });
}

std::optional<OnnxForm> MatMulInteger::to_onnx(const Node&) const { return OnnxForm{"MatMulInteger", {}, {}}; }

std::vector<Value*> MatMulInteger::from_onnx(const OnnxNode& node) { return {node.add_op(MatMulInteger(), node.inputs)}; }

const std::span<const OnnxName> QLinearMatMul::kOnnx{kLinearNames};

std::vector<TensorType> QLinearMatMul::infer(const InferContext& in) const {
  const TensorType &a = byte_matrix(in, 0), &b = byte_matrix(in, 3), &y_zero = byte_matrix(in, 7);
  for (const size_t i : {1, 4, 6}) float_tensor(in, i);
  require(plain_tensor(in, 2).dtype == a.dtype && plain_tensor(in, 5).dtype == b.dtype, ErrorKind::model,
          "a zero point is not of its operand's type");
  for (const size_t i : {1, 2}) require_count(in, i, rows_of(a.shape));
  for (const size_t i : {4, 5}) require_count(in, i, columns_of(b.shape));
  for (const size_t i : {6, 7}) require_count(in, i, 1);
  return {TensorType(y_zero.dtype, matrix_product_shape(a.shape, b.shape, Transpose2::no, Transpose2::no))};
}

void QLinearMatMul::reference(Inputs in, Outputs out) const {
  const MatrixProduct p = matrix_product(in[0]->dims(), in[3]->dims(), Transpose2::no, Transpose2::no);
  shape_output(out[0], in[7]->dtype(), p.y);
  const PerLine a_scale(in[1], 1, p.m), b_scale(in[4], 1, p.n), y_scale(in[6], 1, 1), y_zero(in[7], 0, 1);
  const IntegerRange range = integer_range(out[0].dtype());
  exact_product(p, *in[0], in[2], *in[3], in[5], [&](int64_t at, std::span<int64_t> row) {
    const double row_scale = a_scale[at / p.n % p.m] / y_scale[0];
    for (size_t n = 0; n < row.size(); ++n) {
      const double v = static_cast<double>(row[n]) * row_scale * b_scale[static_cast<int64_t>(n)];
      out[0].set_int(at + static_cast<int64_t>(n), range.saturate(std::nearbyint(v) + y_zero[0]));
    }
  });
}

std::optional<OnnxForm> QLinearMatMul::to_onnx(const Node&) const { return OnnxForm{"QLinearMatMul", {}, {}}; }

namespace {

// With operands of 8-bit floats there are no exact integer sums: the real numbers are multiplied.
Value* real_product(const OnnxNode& node) {
  DequantizeLinear rows, columns;
  rows.axis = -2;
  columns.axis = -1;
  Value* a = node.add_op(rows, {node.needed(0), node.needed(1), node.needed(2)});
  Value* b = node.add_op(columns, {node.needed(3), node.needed(4), node.needed(5)});
  return node.add_op(QuantizeLinear(), {node.add_op(MatMul(), {a, b}), node.needed(6), node.needed(7)});
}

}  // namespace

std::vector<Value*> QLinearMatMul::from_onnx(const OnnxNode& node) {
  for (size_t i = 0; i < 8; ++i) node.needed(i);
  for (const size_t i : {0, 3, 7})
    if (is_float(node.inputs[i]->type.dtype)) return {real_product(node)};
  return {node.add_op(QLinearMatMul(), node.inputs)};
}

}  // namespace onecard
