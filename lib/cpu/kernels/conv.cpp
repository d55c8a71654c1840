// Conv in f32; integer weights of a float convolution are dequantized once, when packed.
#include "lib/cpu/conv_primitive.h"
#include "lib/cpu/kernels.h"

namespace onecard {
namespace {

using dnnl::memory;
using tag = memory::format_tag;
constexpr auto kF32 = memory::data_type::f32;

Support types_fit(const KernelQuery& q) {
  const TensorType &x = q.in[0], &w = q.in[1];
  if (x.quant || x.dtype != DType::f32) return no("x is not f32: " + x.text());
  if (w.quant ? !q.constants[1] : w.dtype != DType::f32) return no("w is neither f32 nor a quantized constant: " + w.text());
  if (q.has(3) && (q.in[3].quant || q.in[3].dtype != DType::f32)) return no("residual is not f32: " + q.in[3].text());
  if (q.out[0].quant || q.out[0].dtype != DType::f32) return no("y is not f32: " + q.out[0].text());
  return yes();
}

Built build(const Conv& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (op.dynamic != Dynamic::no) return no("x is quantized while running");
  EpilogueSpec epilogue;
  epilogue.activation = op.activation;
  epilogue.order = op.add_order;
  epilogue.dims = q.out[0].shape.numbers();
  for (const Support& s : {conv_fits(q), types_fit(q), conv_bias_fits(q), epilogue_fits(epilogue, q)})
    if (!s) return s;
  const Dims x = q.in[0].shape.numbers(), w = q.in[1].shape.numbers();
  const ConvShapes s = conv_shapes(conv_geometry(op, x, w), x, w, epilogue.dims, op.group);
  const memory::desc plain_weights(s.weights, kF32, s.weight_strides), bias = plain_desc(s.bias, kF32);
  const auto chosen = best_epilogue(epilogue, q, [&](const dnnl::post_ops& post) {
    NamedAttr attr{make_attr(), ""};
    attr.attr.set_post_ops(post);
    return make_conv(*library, s, kF32, kF32, q.has(2) ? bias : memory::desc(), kF32, attr);
  });
  if (!chosen.desc) return no("oneDNN has no such convolution");
  return assemble_chosen(chosen, [&](const auto& desc, const Epilogue& ops) {
    auto step = std::make_unique<OneDnnStep>(library, q);
    step->set(desc);
    step->in(DNNL_ARG_SRC, desc.src_desc(), 0);
    if (q.constants[1]) step->weight(DNNL_ARG_WEIGHTS, desc.weights_desc(), pack_f32(1, q.in[1], plain_weights, desc.weights_desc()));
    else step->in(DNNL_ARG_WEIGHTS, desc.weights_desc(), 1);
    bind_conv_bias(*step, q, bias);
    step->out(DNNL_ARG_DST, desc.dst_desc());
    bind_epilogue(*step, ops, epilogue, desc, desc.dst_desc());
    step->flops = conv_flops(s);
    return step;
  });
}

}  // namespace

std::unique_ptr<Kernel> make_conv_kernel(const OneDnnPtr& library) { return std::make_unique<OneDnnKernel<Conv, build>>("onednn.conv", library); }

}  // namespace onecard
