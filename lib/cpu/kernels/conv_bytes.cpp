// Conv of integers as exact products of int16 pairs, on any processor and with any zero points; channels innermost.
#include "lib/cpu/integer_patches.h"
#include "lib/cpu/integer_weights.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

Support supports(const Conv& op, const KernelQuery& q) { return byte_conv_fits(op, q); }

std::unique_ptr<Step> prepare(const Conv& op, const KernelQuery& q) {
  const PatchShape s = patch_shape(op, q);
  const PerTensor x = *per_tensor(q.in[0]);
  ByteWeights w = *byte_weights(q.in[1], 0, s.outputs);
  const RowForm form = form_for(q.in[0].dtype, x.zero);
  IntegerProduct p = patch_product(s, q.in[0].dtype, form);
  p.finish = integer_finish(q, op.activation, op.add_order, 3);
  finish_scales(p.finish, w.scale, q, 0);
  const IntegerFinish finish = p.finish;
  p.scale = padded_columns(std::move(w.scale));
  const int64_t workspace = p.share(q.threads);
  const double flops = p.flops();
  PackedWeight packed = packed_patches(1, s, w.dtype, form);
  auto step = plain_step(q, [p = std::move(p), x, w_zero = std::move(w.zero)](const LaunchArgs& args) {
    IntegerOperands with;
    with.x = args.in[0], with.w = args.in[1], with.y = args.out[0], with.workspace = args.workspace;
    with.bias = args.in.size() > 2 ? static_cast<const float*>(args.in[2]) : nullptr;
    with.bias_count = p.y_stride;
    with.residual = args.in.size() > 3 ? args.in[3] : nullptr;
    with.x_codes = &x;
    with.w_zero = w_zero.empty() ? nullptr : w_zero.data();
    p.run(with);
  });
  step->workspace_bytes = workspace;
  step->flops = flops;
  step->weights.push_back(std::move(packed));
  bind_integer_conv(*step, q, finish);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_conv_bytes_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Conv, supports, prepare>>("cpu.conv_int8"); }

}  // namespace onecard
