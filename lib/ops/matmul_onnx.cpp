#include "lib/ops/binary.h"
#include "lib/ops/einsum.h"
#include "lib/ops/matmul.h"
#include "lib/ops/matmul_integer.h"
#include "lib/ops/operands.h"
#include "lib/ops/quantize.h"
#include "lib/ops/reduce.h"
#include "lib/ops/reinterpret.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"", "MatMul", 1}, {"", "Gemm", 1}};

// C * beta as a constant of C's type where C is one, else a multiplication at run time.
Value* scaled(const OnnxNode& node, Value* c, float beta) {
  if (!c || beta == 0) return nullptr;
  if (beta == 1) return c;
  Value* factor = node.constant(scalar_tensor(c->type.dtype, static_cast<double>(beta)));
  if (!c->constant || !is_arithmetic_float(c->type.dtype)) return node.add_op(Binary(BinaryFn::mul), {c, factor});
  const ConstTensor resident = materialize(c->constant);
  const auto products = evaluate(Binary(BinaryFn::mul), {resident.get(), factor->constant.get()});
  return node.constant(products[0].clone());
}

Value* transposed(const NodesBefore& before, Value* v) {
  const int64_t rank = v->type.shape.rank();
  Transpose swap;
  for (int64_t i = 0; i < rank; ++i) swap.perm.push_back(i < rank - 2 ? i : i == rank - 2 ? rank - 1 : rank - 2);
  return before.add(swap, {v});
}

// The product alone. Operands of unknown rank cannot be transposed, but an equation says what is meant.
Value* product_of(const MatMul& op, const NodesBefore& before, Value* a, Value* b) {
  const bool swap_a = op.transpose_a == Transpose2::yes, swap_b = op.transpose_b == Transpose2::yes;
  if ((swap_a && !a->type.shape.has_rank()) || (swap_b && !b->type.shape.has_rank())) {
    Einsum product;
    product.equation = std::string(swap_a ? "...ji," : "...ij,") + (swap_b ? "...kj->...ik" : "...jk->...ik");
    return before.add(product, {a, b});
  }
  return before.add(MatMul(), {swap_a ? transposed(before, a) : a, swap_b ? transposed(before, b) : b});
}

bool has_epilogue(const MatMul& op, const Node& node) { return !op.activation.is_identity() || op.output || node.input(3); }
bool is_quantized(const Node& node) { return node.input(0)->type.quant || node.input(1)->type.quant || (node.input(3) && node.input(3)->type.quant); }
bool is_bare(const MatMul& op, const Node& node) {
  return op.transpose_a == Transpose2::no && op.transpose_b == Transpose2::no && op.alpha == 1 && !node.input(2);
}
bool has_rank(const Value* v, int64_t rank) { return v->type.shape.has_rank() && v->type.shape.rank() == rank; }

// b's codes as MatMulInteger takes them, and for each column their sum less the zero points and the scale, in the rank of a row.
struct IntegerColumns {
  Value *codes, *zero, *sums, *scale;
};
IntegerColumns integer_columns(const MatMul& op, const NodesBefore& before, Value* b) {
  const Quantization& q = *b->type.quant;
  const auto row = [&](Tensor t) { return before.constant(std::move(t)); };
  const auto count = static_cast<int64_t>(q.zero_point.size());
  IntegerColumns c{before.add(Reinterpret(), {b}), nullptr, nullptr, nullptr};
  if (op.transpose_b == Transpose2::yes) c.codes = transposed(before, c.codes);
  Tensor zero(b->type.dtype, count == 1 ? Dims{} : Dims{count});
  for (int64_t i = 0; i < count; ++i) zero.set_int(i, q.zero_at(static_cast<size_t>(i)));
  c.zero = row(std::move(zero));
  Tensor scale(DType::f32, q.scale.size() == 1 ? Dims{} : Dims{static_cast<int64_t>(q.scale.size())});
  for (size_t i = 0; i < q.scale.size(); ++i) scale.data<float>()[i] = q.scale[i] * op.alpha;
  c.scale = row(std::move(scale));
  Cast wide;
  wide.to = DType::i32;
  Reduce total;
  Value* whole = before.add(Binary(BinaryFn::sub), {before.add(wide, {c.codes}), before.add(wide, {c.zero})});
  c.sums = before.add(total, {whole, before.constant(Tensor::of<int64_t>({1}, {-2}))});
  return c;
}

// Codes made while running, as the integer operators of ONNX. MatMulInteger takes one zero point of a in engines as they are: those of rows
// are taken out of the sums by the sums of b's columns.
Value* dynamic_parts(const MatMul& op, const NodesBefore& before, const Node& node) {
  const DynamicNodes a = add_dynamic_codes(before, node.input(0), op.dynamic, node.input(1)->type.shape.rank());
  const IntegerColumns b = integer_columns(op, before, node.input(1));
  const bool rows = op.dynamic == Dynamic::row;
  Value* sums = before.add(MatMulInteger(), {a.codes, b.codes, rows ? nullptr : a.zero, b.zero});
  if (rows) sums = before.add(Binary(BinaryFn::sub), {sums, before.add(Binary(BinaryFn::mul), {a.zero, b.sums})});
  Value* y = add_rescale(before, sums, a.scale, b.scale);
  if (!node.input(2)) return y;
  return before.add(Binary(BinaryFn::add), {y, node.input(2)->type.quant ? before.add(Dequantize(), {node.input(2)}) : node.input(2)});
}

// The product with bias alone, then activation, residual and output scale as nodes.
Value* without_epilogue(const MatMul& op, const NodesBefore& before, Node& node) {
  const TensorType &a = node.input(0)->type, &b = node.input(1)->type;
  Dequantize dequantize;
  dequantize.dtype = !a.quant ? a.dtype : b.quant ? DType::f32 : b.dtype;
  const auto real = [&](Value* v) { return v && v->type.quant ? before.add(dequantize, {v}) : v; };
  MatMul inner;
  inner.transpose_a = op.transpose_a;
  inner.transpose_b = op.transpose_b;
  inner.alpha = op.alpha;
  inner.dynamic = op.dynamic;
  std::vector<Value*> operands{real(node.input(0)), op.dynamic == Dynamic::no ? real(node.input(1)) : node.input(1)};
  if (node.input(2)) operands.push_back(real(node.input(2)));
  Value* y = before.add(inner, operands);
  Value* residual = real(node.input(3));
  if (residual && op.add_order == AddOrder::before_activation) y = before.add(Binary(BinaryFn::add), {y, residual});
  if (!op.activation.is_identity()) y = before.add(Unary(op.activation), {y});
  if (residual && op.add_order == AddOrder::after_activation) y = before.add(Binary(BinaryFn::add), {y, residual});
  if (!op.output) return y;
  Quantize back;
  back.quant = op.output;
  back.dtype = op.output_dtype;
  return before.add(back, {y});
}

}  // namespace

const std::span<const OnnxName> MatMul::kOnnx{kNames};

std::vector<Value*> MatMul::from_onnx(const OnnxNode& node) {
  Value *a = node.needed(0), *b = node.needed(1);
  if (node.op_type == "MatMul") return {node.add_op(MatMul(), {a, b})};
  for (const Value* v : {a, b})
    require(!v->type.shape.has_rank() || v->type.shape.rank() == 2, ErrorKind::model, "Gemm of ", v->type, ": it takes matrices");
  MatMul op;
  op.transpose_a = node.attr<int64_t>("transA", 0) != 0 ? Transpose2::yes : Transpose2::no;
  op.transpose_b = node.attr<int64_t>("transB", 0) != 0 ? Transpose2::yes : Transpose2::no;
  op.alpha = node.attr("alpha", 1.0f);
  Value* c = scaled(node, node.input(2), node.attr("beta", 1.0f));
  return {node.add_op(op, c ? std::vector<Value*>{a, b, c} : std::vector<Value*>{a, b})};
}

std::vector<Value*> MatMul::decompose(Graph& graph, Node& node) const {
  const NodesBefore before(graph, node);
  const bool fused = has_epilogue(*this, node) || (is_quantized(node) && dynamic == Dynamic::no);
  if (fused) return {without_epilogue(*this, before, node)};
  if (dynamic != Dynamic::no) return {dynamic_parts(*this, before, node)};
  if (is_bare(*this, node)) return {};
  Value *a = node.input(0), *b = node.input(1);
  Value* y = product_of(*this, before, a, b);
  if (alpha != 1) y = before.add(Binary(BinaryFn::mul), {y, before.scalar(y->type.dtype, static_cast<double>(alpha))});
  if (node.input(2)) y = before.add(Binary(BinaryFn::add), {y, node.input(2)});
  return {y};
}

std::optional<OnnxForm> MatMul::to_onnx(const Node& node) const {
  if (has_epilogue(*this, node) || is_quantized(node)) return std::nullopt;
  if (is_bare(*this, node)) return OnnxForm{"MatMul", {}, {}};
  if (!has_rank(node.input(0), 2) || !has_rank(node.input(1), 2)) return std::nullopt;
  return OnnxForm{
      "Gemm", {{"alpha", alpha}, {"transA", int64_t{transpose_a == Transpose2::yes}}, {"transB", int64_t{transpose_b == Transpose2::yes}}}, {}};
}

}  // namespace onecard
