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

dnnl::primitive_attr int8_attr(const PerTensor& x, int w_mask, const TensorType& y, int32_t w_zero) {
  dnnl::primitive_attr attr = make_attr();
  attr.set_scales_mask(DNNL_ARG_SRC, 0);
  attr.set_scales_mask(DNNL_ARG_WEIGHTS, w_mask);
  if (x.zero != 0) attr.set_zero_points_mask(DNNL_ARG_SRC, 0);
  if (w_zero != 0) attr.set_zero_points_mask(DNNL_ARG_WEIGHTS, 0);
  if (const auto out = per_tensor(y)) {
    attr.set_scales_mask(DNNL_ARG_DST, 0);
    if (out->zero != 0) attr.set_zero_points_mask(DNNL_ARG_DST, 0);
  }
  return attr;
}

std::string int8_attr_text(const PerTensor& x, int w_mask, const TensorType& y, int32_t w_zero) {
  const auto out = per_tensor(y);
  std::string text = "scales " + std::to_string(w_mask);
  if (x.zero != 0) text += " x has a zero point";
  if (w_zero != 0) text += " w has a zero point";
  if (out) text += out->zero != 0 ? " y has a scale and a zero point" : " y has a scale";
  return text;
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
