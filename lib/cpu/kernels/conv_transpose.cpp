// ConvTranspose in f32 through oneDNN's deconvolution; integer weights are dequantized once, when packed.
#include "lib/ops/conv_transpose.h"

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
  if (!q.constants[1]) return no("w is not constant");
  if (!w.quant && w.dtype != DType::f32) return no("w is neither f32 nor quantized: " + w.text());
  if (q.out[0].quant || q.out[0].dtype != DType::f32) return no("y is not f32: " + q.out[0].text());
  return yes();
}

// oneDNN names output channels before input channels; ONNX stores w[C, K/group, ...]. Same bytes, axes exchanged.
ConvShapes deconv_shapes(const ConvTranspose& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), w = q.in[1].shape.numbers(), y = q.out[0].shape.numbers();
  const ConvGeometry g = conv_transpose_geometry(op, x, w);
  ConvShapes s = conv_shapes(g, x, w, y, op.group);
  const size_t i = s.grouped ? 1 : 0;
  std::swap(s.weights[i], s.weights[i + 1]);
  std::swap(s.weight_strides[i], s.weight_strides[i + 1]);
  for (size_t k = 0; k < g.kernel.size(); ++k)
    s.pads_end[k] = (x[k + 2] - 1) * g.strides[k] + (g.kernel[k] - 1) * g.dilations[k] + 1 - g.pads_begin[k] - y[k + 2];
  return s;
}

Built build(const ConvTranspose& op, const KernelQuery& q, const OneDnnPtr& library) {
  EpilogueSpec epilogue;
  epilogue.activation = op.activation;
  epilogue.dims = q.out[0].shape.numbers();
  for (const Support& s : {conv_fits(q), types_fit(q), conv_bias_fits(q), epilogue_fits(epilogue, q)})
    if (!s) return s;
  const ConvShapes s = deconv_shapes(op, q);
  const memory::desc plain_weights(s.weights, kF32, s.weight_strides), bias = plain_desc(s.bias, kF32);
  const auto chosen = best_epilogue(epilogue, q, [&](const dnnl::post_ops& post) {
    dnnl::primitive_attr attr = make_attr();
    attr.set_post_ops(post);
    return dnnl::deconvolution_forward::primitive_desc(library->engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
                                                       memory::desc(s.src, kF32, tag::any), memory::desc(s.weights, kF32, tag::any),
                                                       q.has(2) ? bias : memory::desc(), memory::desc(s.dst, kF32, tag::any), s.strides, s.dilations,
                                                       s.pads_begin, s.pads_end, attr, true);
  });
  if (!chosen.desc) return no("oneDNN has no such transposed convolution");
  return assemble_chosen(chosen, [&](const auto& desc, const Epilogue& ops) {
    auto step = std::make_unique<OneDnnStep>(library, q);
    step->set(desc);
    step->in(DNNL_ARG_SRC, desc.src_desc(), 0);
    step->weight(DNNL_ARG_WEIGHTS, desc.weights_desc(), pack_f32(1, q.in[1], plain_weights, desc.weights_desc()));
    bind_conv_bias(*step, q, bias);
    step->out(DNNL_ARG_DST, desc.dst_desc());
    bind_epilogue(*step, ops, epilogue, desc, desc.dst_desc());
    step->flops = 2;
    for (const int64_t d : s.weights) step->flops *= static_cast<double>(d);
    for (size_t i = 0; i < s.src.size(); ++i)
      if (i != 1) step->flops *= static_cast<double>(s.src[i]);
    return step;
  });
}

}  // namespace

std::unique_ptr<Kernel> make_conv_transpose_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<ConvTranspose, build>>("onednn.conv_transpose", library);
}

}  // namespace onecard
