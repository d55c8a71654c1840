#include "lib/cpu/int8.h"

#include "lib/ops/integer_sum.h"

namespace onecard {

Support int8_is_exact() {
  using dnnl::cpu_isa;
  switch (dnnl::get_effective_cpu_isa()) {
    case cpu_isa::isa_default:
    case cpu_isa::sse41:
    case cpu_isa::avx:
    case cpu_isa::avx2:
    case cpu_isa::avx512_core: return no("oneDNN's int8 saturates without VNNI");
    default: return yes();
  }
}

Support int8_output_fits(const TensorType& y) {
  if (y.quant ? bool(per_tensor(y)) : y.dtype == DType::f32) return yes();
  return no("y is neither f32 nor i8 or u8 quantized per tensor: " + y.text());
}

Support scales_in_steps(const KernelQuery& q, const Activation& activation, int64_t channel_axis) {
  const LayerTypes types{&q.in[0], &q.in[1], q.has(2) ? &q.in[2] : nullptr, channel_axis};
  if (q.has(3) || !rescales_integers(types, activation, q.out[0].quant)) return yes();
  return no("oneDNN does not rescale the sums in one step");
}

NamedAttr int8_attr(const PerTensor& x, int w_mask, const TensorType& y, int32_t w_zero) {
  NamedAttr made{make_attr(), "int8"};
  const auto scales = [&](int arg, int mask) {
    made.attr.set_scales_mask(arg, mask);
    made.text += " scales " + std::to_string(arg) + " " + std::to_string(mask);
  };
  const auto zero_point = [&](int arg) {
    made.attr.set_zero_points_mask(arg, 0);
    made.text += " zero point " + std::to_string(arg);
  };
  scales(DNNL_ARG_SRC, 0);
  scales(DNNL_ARG_WEIGHTS, w_mask);
  if (x.zero != 0) zero_point(DNNL_ARG_SRC);
  if (w_zero != 0) zero_point(DNNL_ARG_WEIGHTS);
  if (const auto out = per_tensor(y)) {
    scales(DNNL_ARG_DST, 0);
    if (out->zero != 0) zero_point(DNNL_ARG_DST);
  }
  return made;
}

void bind_int8(OneDnnStep& step, const PerTensor& x, const std::vector<float>& w_scales, const TensorType& y, int32_t w_zero) {
  step.own(DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, std::vector<float>{x.scale});
  step.own(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, w_scales);
  if (x.zero != 0) step.own(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, std::vector<int32_t>{x.zero});
  if (w_zero != 0) step.own(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_WEIGHTS, std::vector<int32_t>{w_zero});
  if (const auto out = per_tensor(y)) {
    step.own(DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, std::vector<float>{out->scale});
    if (out->zero != 0) step.own(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, std::vector<int32_t>{out->zero});
  }
}

}  // namespace onecard
