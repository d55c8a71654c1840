// MatMul of f32 by integers: a's rows are quantized on their way into the product, whose exact sums end in f32.
#include "lib/cpu/dynamic_rows.h"
#include "lib/cpu/integer_matrices.h"
#include "lib/cpu/integer_weights.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

int64_t column_axis(const MatMul& op, const KernelQuery& q) { return q.in[1].shape.rank() - (op.transpose_b == Transpose2::yes ? 2 : 1); }

MatMulShapes shapes_of(const MatMul& op, const KernelQuery& q) {
  const auto bias = q.has(2) ? std::optional(q.in[2].shape.numbers()) : std::nullopt;
  return matmul_shapes(op, q.in[0].shape.numbers(), q.in[1].shape.numbers(), bias);
}

Support supports(const MatMul& op, const KernelQuery& q) {
  if (op.dynamic == Dynamic::no) return no("nothing is quantized while running");
  for (const Support& s : {operands_fit(q), integer_finish_fits(q, op.activation, 3), integer_bias_fits(q, 2)})
    if (!s) return s;
  const MatMulShapes s = shapes_of(op, q);
  if (q.has(2) && !s.bias_is_row && element_count(s.bias) != 1) return no("the bias is no row: " + q.in[2].text());
  const auto w = byte_weights(q.in[1], column_axis(op, q), s.y.back());
  if (!w) return no("b is not i8 or u8 quantized per tensor or column: " + q.in[1].text());
  return sums_fit(kByteReach, *w, s.a.back());
}

std::unique_ptr<Step> prepare(const MatMul& op, const KernelQuery& q) {
  const MatMulShapes s = shapes_of(op, q);
  ByteWeights w = *byte_weights(q.in[1], column_axis(op, q), s.y.back());
  const Packing packing = q.constants[1] ? Packing::once : Packing::at_launch;
  IntegerProduct p = byte_matrix_product(s, DType::u8, w.dtype, best_row_form(), packing);
  p.left = real_rows(left_matrices(s, DType::u8), p.k);
  p.row_scales = RowScales::each;
  p.finish = integer_finish(q, op.activation, op.add_order, 3);
  for (float& scale : w.scale) scale *= op.alpha;
  p.scale = padded_columns(std::move(w.scale));
  const Dims a = q.in[0].shape.numbers();
  const DynamicParts parts(element_count(a), dynamic_part(a, op.dynamic));
  const int64_t product_bytes = p.share(q.threads), bias_count = q.has(2) ? element_count(s.bias) : 0;
  const double flops = p.flops();
  const IntegerFinish finish = p.finish;
  auto step = plain_step(q, [p = std::move(p), parts, product_bytes, w_zero = std::move(w.zero), bias_count](const LaunchArgs& args) {
    IntegerOperands with;
    with.x = args.in[0], with.w = args.in[1], with.y = args.out[0], with.workspace = args.workspace;
    with.bias = args.in.size() > 2 ? static_cast<const float*>(args.in[2]) : nullptr;
    with.bias_count = bias_count;
    with.residual = args.in.size() > 3 ? args.in[3] : nullptr;
    with.w_zero = w_zero.empty() ? nullptr : w_zero.data();
    parts.find(static_cast<const float*>(args.in[0]), static_cast<char*>(args.workspace) + product_bytes, with);
    p.run(with);
  });
  step->workspace_bytes = product_bytes + parts.workspace_bytes();
  step->flops = flops;
  if (packing == Packing::once) step->weights.push_back(packed_matrices(1, s, w.dtype, best_row_form()));
  bind_integer_bias(*step, q, 2, finish);
  allow_in_place(*step, q, {3});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_matmul_dynamic_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<MatMul, supports, prepare>>("cpu.matmul_dynamic");
}

}  // namespace onecard
