// MatMulInteger: exact int32 sums of bytes less zero points that a launch brings.
#include "lib/ops/matmul_integer.h"

#include "lib/cpu/integer_matrices.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

MatMulShapes shapes_of(const KernelQuery& q) { return matmul_shapes(MatMul(), q.in[0].shape.numbers(), q.in[1].shape.numbers(), std::nullopt); }

Support supports(const MatMulInteger&, const KernelQuery& q) {
  if (const Support s = operands_fit(q); !s) return s;
  if (q.has(2) && q.in[2].shape.elements().number() != 1) return no("a zero point for each row of a");
  return yes();
}

std::unique_ptr<Step> prepare(const MatMulInteger&, const KernelQuery& q) {
  const MatMulShapes s = shapes_of(q);
  const Packing packing = q.constants[1] ? Packing::once : Packing::at_launch;
  IntegerProduct p = byte_matrix_product(s, q.in[0].dtype, q.in[1].dtype, best_row_form(), packing);
  p.finish.y = DType::i32;
  const int64_t workspace = p.share(q.threads);
  const double flops = p.flops();
  const ZeroPoints zeros(q, 2, 3, p.n);
  auto step = plain_step(q, [p = std::move(p), zeros, workspace](const LaunchArgs& args) {
    IntegerOperands with;
    with.x = args.in[0], with.w = args.in[1], with.y = args.out[0], with.workspace = args.workspace;
    zeros.read(args, static_cast<char*>(args.workspace) + workspace, with);
    p.run(with);
  });
  step->workspace_bytes = workspace + zeros.workspace_bytes();
  step->flops = flops;
  if (packing == Packing::once) step->weights.push_back(packed_matrices(1, s, q.in[1].dtype, best_row_form()));
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_matmul_integer_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<MatMulInteger, supports, prepare>>("cpu.matmul_integer");
}

}  // namespace onecard
