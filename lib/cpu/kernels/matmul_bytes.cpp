// MatMul of integers as exact products of int16 pairs, on any processor and with any zero points.
#include "lib/cpu/integer_matrices.h"
#include "lib/cpu/integer_weights.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

MatMulShapes shapes_of(const MatMul& op, const KernelQuery& q) {
  const auto bias = q.has(2) ? std::optional(q.in[2].shape.numbers()) : std::nullopt;
  return matmul_shapes(op, q.in[0].shape.numbers(), q.in[1].shape.numbers(), bias);
}

std::optional<ByteWeights> columns_of(const MatMul& op, const KernelQuery& q, int64_t columns) {
  const int64_t rank = q.in[1].shape.rank();
  return byte_weights(q.in[1], rank < 2 ? -1 : op.transpose_b == Transpose2::yes ? rank - 2 : rank - 1, columns);
}

Support supports(const MatMul& op, const KernelQuery& q) {
  for (const Support& s : {operands_fit(q), integer_finish_fits(q, op.activation, 3), integer_bias_fits(q, 2)})
    if (!s) return s;
  if (!per_tensor(q.in[0])) return no("a is not i8 or u8 quantized per tensor: " + q.in[0].text());
  const MatMulShapes s = shapes_of(op, q);
  if (q.has(2) && !s.bias_is_row && element_count(s.bias) != 1) return no("the bias is no row: " + q.in[2].text());
  const auto w = columns_of(op, q, s.y.back());
  if (!w) return no("b is not i8 or u8 quantized per tensor or column: " + q.in[1].text());
  return sums_fit(code_reach(q.in[0]), *w, s.a.back());
}

std::unique_ptr<Step> prepare(const MatMul& op, const KernelQuery& q) {
  const MatMulShapes s = shapes_of(op, q);
  const PerTensor a = *per_tensor(q.in[0]);
  ByteWeights w = *columns_of(op, q, s.y.back());
  const Packing packing = q.constants[1] ? Packing::once : Packing::at_launch;
  const RowForm form = form_for(q.in[0].dtype, a.zero);
  IntegerProduct p = byte_matrix_product(s, q.in[0].dtype, w.dtype, form, packing);
  p.finish = integer_finish(q, op.activation, op.add_order, 3);
  const int64_t rank = q.in[1].shape.rank(), columns_axis = rank < 2 ? -1 : op.transpose_b == Transpose2::yes ? rank - 2 : rank - 1;
  finish_scales(p.finish, w.scale, q, columns_axis, op.alpha);
  const IntegerFinish finish = p.finish;
  p.scale = padded_columns(std::move(w.scale));
  const int64_t workspace = p.share(q.threads), bias_count = q.has(2) ? element_count(s.bias) : 0;
  const double flops = p.flops();
  auto step = plain_step(q, [p = std::move(p), a, w_zero = std::move(w.zero), bias_count](const LaunchArgs& args) {
    IntegerOperands with;
    with.x = args.in[0], with.w = args.in[1], with.y = args.out[0], with.workspace = args.workspace;
    with.bias = args.in.size() > 2 ? static_cast<const float*>(args.in[2]) : nullptr;
    with.bias_count = bias_count;
    with.residual = args.in.size() > 3 ? args.in[3] : nullptr;
    with.x_codes = &a;
    with.w_zero = w_zero.empty() ? nullptr : w_zero.data();
    p.run(with);
  });
  step->workspace_bytes = workspace;
  step->flops = flops;
  if (packing == Packing::once) step->weights.push_back(packed_matrices(1, s, w.dtype, form));
  bind_integer_bias(*step, q, 2, finish);
  allow_in_place(*step, q, {3});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_matmul_bytes_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<MatMul, supports, prepare>>("cpu.matmul_int8");
}

}  // namespace onecard
