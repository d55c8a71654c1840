// Conv of integers: exact int32 sums of (x - zero point) * w, then scales, bias, epilogue in f32, and rounding if y is quantized.
#include "lib/cpu/conv_primitive.h"
#include "lib/cpu/int8.h"
#include "lib/cpu/kernels.h"

namespace onecard {
namespace {

using dnnl::memory;
using tag = memory::format_tag;

Support types_fit(const KernelQuery& q) {
  if (const Support cpu = int8_is_exact(); !cpu) return cpu;
  if (!per_tensor(q.in[0])) return no("x is not i8 or u8 quantized per tensor: " + q.in[0].text());
  if (!q.constants[1]) return no("w is not constant");
  if (!symmetric_scales(q.in[1], 0)) return no("w is not i8 or u8 quantized symmetrically per tensor or output channel: " + q.in[1].text());
  return int8_output_fits(q.out[0]);
}

Built build(const Conv& op, const KernelQuery& q, const OneDnnPtr& library) {
  EpilogueSpec epilogue;
  epilogue.activation = op.activation;
  epilogue.order = op.add_order;
  epilogue.dims = q.out[0].shape.numbers();
  for (const Support& s : {conv_fits(q), types_fit(q), conv_bias_fits(q), epilogue_fits(epilogue, q), scales_in_steps(q, op.activation, 0)})
    if (!s) return s;
  const Dims x = q.in[0].shape.numbers(), w = q.in[1].shape.numbers();
  const ConvShapes s = conv_shapes(conv_geometry(op, x, w), x, w, epilogue.dims, op.group);
  const PerTensor x_quant = *per_tensor(q.in[0]);
  const std::vector<float> w_scales = *symmetric_scales(q.in[1], 0);
  const memory::desc plain_weights(s.weights, memory::data_type::s8, s.weight_strides), bias = plain_desc(s.bias, memory::data_type::f32);
  const int w_mask = w_scales.size() == 1 ? 0 : s.grouped ? 3 : 1;
  const auto chosen = best_epilogue(epilogue, q, [&](const dnnl::post_ops& post) {
    NamedAttr attr = int8_attr(x_quant, w_mask, q.out[0]);
    attr.attr.set_post_ops(post);
    return make_conv(*library, s, dnnl_type(q.in[0].dtype), memory::data_type::s8, q.has(2) ? bias : memory::desc(), dnnl_type(q.out[0].dtype), attr);
  });
  if (!chosen.desc) return no("oneDNN has no such int8 convolution");
  return assemble_chosen(chosen, [&](const auto& desc, const Epilogue& ops) {
    auto step = std::make_unique<OneDnnStep>(library, q);
    step->set(desc);
    step->in(DNNL_ARG_SRC, desc.src_desc(), 0);
    const std::string what =
        std::string("conv x=") + std::string(info(q.in[0].dtype).name) + (x_quant.zero ? " shifted " : " ") + desc.impl_info_str();
    step->weight(DNNL_ARG_WEIGHTS, desc.weights_desc(), pack_s8(1, what, q.in[1].dtype, plain_weights, desc.weights_desc()));
    bind_conv_bias(*step, q, bias);
    step->out(DNNL_ARG_DST, desc.dst_desc());
    bind_epilogue(*step, ops, epilogue, desc, desc.dst_desc());
    bind_int8(*step, x_quant, w_scales, q.out[0]);
    step->flops = conv_flops(s);
    return step;
  });
}

}  // namespace

std::unique_ptr<Kernel> make_conv_int8_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Conv, build>>("onednn.conv_int8", library);
}

}  // namespace onecard
