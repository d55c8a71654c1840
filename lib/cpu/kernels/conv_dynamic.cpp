// Conv of f32 by integers: x is quantized first, or on its way into the product where every pixel is read once; channels innermost.
#include "lib/cpu/dynamic_rows.h"
#include "lib/cpu/integer_patches.h"
#include "lib/cpu/integer_weights.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

Support supports(const Conv& op, const KernelQuery& q) {
  if (op.dynamic == Dynamic::no) return no("nothing is quantized while running");
  return integer_conv_fits(op, q, kByteReach);
}

std::unique_ptr<Step> prepare(const Conv& op, const KernelQuery& q) {
  const PatchShape s = patch_shape(op, q);
  const RowForm form = best_row_form();
  ByteWeights w = *byte_weights(q.in[1], 0, s.outputs);
  IntegerProduct p = patch_product(s, DType::u8, form);
  const bool codes_first = !reads_each_pixel_once(s);
  if (!codes_first) p.left = real_rows(pixel_matrices(s, DType::u8), p.k);
  p.row_scales = RowScales::each;
  p.finish = integer_finish(q, op.activation, op.add_order, 3);
  p.scale = padded_columns(std::move(w.scale));
  const IntegerFinish finish = p.finish;
  const Dims x = q.in[0].shape.numbers();
  const DynamicParts parts(element_count(x), dynamic_part(x, op.dynamic));
  const int64_t product_bytes = p.share(q.threads), codes_at = product_bytes + (parts.workspace_bytes() + 63) / 64 * 64;
  const double flops = p.flops();
  PackedWeight packed = packed_patches(1, s, w.dtype, form);
  auto step = plain_step(q, [p = std::move(p), parts, product_bytes, codes_at, codes_first, w_zero = std::move(w.zero)](const LaunchArgs& args) {
    auto* space = static_cast<char*>(args.workspace);
    const auto* x = static_cast<const float*>(args.in[0]);
    IntegerOperands with;
    with.x = x, with.w = args.in[1], with.y = args.out[0], with.workspace = space;
    with.bias = args.in.size() > 2 ? static_cast<const float*>(args.in[2]) : nullptr;
    with.bias_count = p.y_stride;
    with.residual = args.in.size() > 3 ? args.in[3] : nullptr;
    with.w_zero = w_zero.empty() ? nullptr : w_zero.data();
    parts.find(x, space + product_bytes, with);
    if (codes_first) {
      auto* codes = reinterpret_cast<uint8_t*>(space + codes_at);
      parts.quantize(x, with, codes);
      with.x = codes;
    }
    p.run(with);
  });
  step->workspace_bytes = codes_at + (codes_first ? element_count(x) : 0);
  step->flops = flops;
  step->weights.push_back(std::move(packed));
  bind_integer_conv(*step, q, finish);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_conv_dynamic_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<Conv, supports, prepare>>("cpu.conv_dynamic");
}

}  // namespace onecard
