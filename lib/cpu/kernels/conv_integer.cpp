// ConvInteger: exact int32 sums of bytes less zero points that a launch brings; channels innermost.
#include "lib/ops/conv_integer.h"

#include "lib/cpu/conv_primitive.h"
#include "lib/cpu/integer_patches.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

PatchShape shape_of(const ConvInteger& op, const KernelQuery& q) {
  Conv conv;
  conv.strides = op.strides, conv.dilations = op.dilations, conv.pads = op.pads, conv.auto_pad = op.auto_pad;
  const Dims x = q.in[0].shape.numbers(), w = q.in[1].shape.numbers();
  return patch_shape(conv_geometry(conv, x, w), x, w, q.out[0].shape.numbers(), op.group);
}

Support supports(const ConvInteger&, const KernelQuery& q) {
  for (const Support& s : {operands_fit(q), conv_fits(q)})
    if (!s) return s;
  if (!q.constants[1]) return no("w is not constant");
  return yes();
}

std::unique_ptr<Step> prepare(const ConvInteger& op, const KernelQuery& q) {
  const PatchShape s = shape_of(op, q);
  IntegerProduct p = patch_product(s, q.in[0].dtype, best_row_form());
  p.finish.y = DType::i32;
  const int64_t workspace = p.share(q.threads);
  const double flops = p.flops();
  const ZeroPoints zeros(q, 2, 3, s.outputs);
  PackedWeight packed = packed_patches(1, s, q.in[1].dtype, best_row_form());
  auto step = plain_step(q, [p = std::move(p), zeros, workspace](const LaunchArgs& args) {
    IntegerOperands with;
    with.x = args.in[0], with.w = args.in[1], with.y = args.out[0], with.workspace = args.workspace;
    zeros.read(args, static_cast<char*>(args.workspace) + workspace, with);
    p.run(with);
  });
  step->workspace_bytes = workspace + zeros.workspace_bytes();
  step->flops = flops;
  step->weights.push_back(std::move(packed));
  step->in_layouts[0] = channels_last(q.in[0]);
  step->out_layouts[0] = channels_last(q.out[0]);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_conv_integer_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<ConvInteger, supports, prepare>>("cpu.conv_integer");
}

}  // namespace onecard
