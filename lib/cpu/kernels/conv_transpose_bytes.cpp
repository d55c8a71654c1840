// ConvTranspose of integers on any processor and with any zero points; channels innermost.
#include "lib/ops/conv_transpose.h"

#include "lib/cpu/conv_primitive.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/cpu/transposed_product.h"

namespace onecard {
namespace {

PatchShape shape_of(const ConvTranspose& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), w = q.in[1].shape.numbers(), y = q.out[0].shape.numbers();
  PatchShape s = patch_shape(conv_transpose_geometry(op, x, w), x, w, y, op.group);
  s.outputs = y[1];
  return s;
}

Support supports(const ConvTranspose& op, const KernelQuery& q) {
  for (const Support& s : {operands_fit(q), conv_fits(q), integer_finish_fits(q, op.activation, 3), integer_bias_fits(q, 2)})
    if (!s) return s;
  if (q.out[0].quant) return no("y is not f32: " + q.out[0].text());
  if (!per_tensor(q.in[0])) return no("x is not i8 or u8 quantized per tensor: " + q.in[0].text());
  if (!q.constants[1]) return no("w is not constant");
  const PatchShape s = shape_of(op, q);
  const auto w = byte_weights(q.in[1], 1, s.group_outputs());
  if (!w) return no("w is not i8 or u8 quantized per tensor or output channel: " + q.in[1].text());
  return sums_fit(code_reach(q.in[0]), *w, s.group_channels() * s.positions());
}

std::unique_ptr<Step> prepare(const ConvTranspose& op, const KernelQuery& q) {
  const PatchShape s = shape_of(op, q);
  const PerTensor x = *per_tensor(q.in[0]);
  const ByteWeights w = *byte_weights(q.in[1], 1, s.group_outputs());
  const RowForm form = form_for(q.in[0].dtype, x.zero);
  const IntegerFinish finish = integer_finish(q, op.activation, AddOrder::before_activation, 3);
  TransposedProduct product(s, q.in[0].dtype, x, w, form, finish);
  const int64_t workspace = product.share(q.threads);
  auto step = plain_step(q, [product = std::move(product)](const LaunchArgs& args) { product.run(args); });
  step->workspace_bytes = workspace;
  step->flops =
      2.0 * static_cast<double>(s.images * s.in[0] * s.in[1] * s.in[2]) * static_cast<double>(s.channels * s.group_outputs() * s.positions());
  step->weights.push_back(packed_transposed(1, s, w, form));
  bind_integer_conv(*step, q, finish);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_conv_transpose_bytes_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<ConvTranspose, supports, prepare>>("cpu.conv_transpose_int8");
}

}  // namespace onecard
