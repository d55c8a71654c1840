// MatMul in f32: transposes are strides, a constant b is packed (and dequantized) once.
#include "lib/cpu/conv_primitive.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/matmul_shapes.h"

namespace onecard {
namespace {

using dnnl::memory;
using tag = memory::format_tag;
constexpr auto kF32 = memory::data_type::f32;

Support types_fit(const KernelQuery& q) {
  const TensorType &a = q.in[0], &b = q.in[1];
  if (a.quant || a.dtype != DType::f32) return no("a is not f32: " + a.text());
  if (b.quant ? !q.constants[1] : b.dtype != DType::f32) return no("b is neither f32 nor a quantized constant: " + b.text());
  if (q.has(3) && (q.in[3].quant || q.in[3].dtype != DType::f32)) return no("residual is not f32: " + q.in[3].text());
  if (q.out[0].quant || q.out[0].dtype != DType::f32) return no("y is not f32: " + q.out[0].text());
  return yes();
}

std::optional<Dims> bias_dims(const KernelQuery& q) { return q.has(2) ? std::optional(q.in[2].shape.numbers()) : std::nullopt; }

Built build(const MatMul& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (op.dynamic != Dynamic::no) return no("a is quantized while running");
  const MatMulShapes s = matmul_shapes(op, q.in[0].shape.numbers(), q.in[1].shape.numbers(), bias_dims(q));
  EpilogueSpec epilogue;
  epilogue.activation = op.activation;
  epilogue.order = op.add_order;
  epilogue.dims = s.y;
  const bool packs = q.constants[1] != nullptr;
  if (!packs) epilogue.first_factor = op.alpha;
  // A factor applied after the sum must come before the bias, and only a row can be oneDNN's own bias.
  const bool own_bias = q.has(2) && s.bias_is_row && epilogue.first_factor == 1;
  const memory::desc bias = q.has(2) ? plain_desc(s.bias, kF32) : memory::desc();
  if (q.has(2) && !own_bias) {
    if (q.in[2].quant) return no("a quantized bias that is no row: " + q.in[2].text());
    epilogue.first_addend = std::pair(size_t{2}, bias);
  }
  for (const Support& fits : {types_fit(q), conv_bias_fits(q), epilogue_fits(epilogue, q)})
    if (!fits) return fits;
  const memory::desc a(s.a, kF32, s.a_strides), b(s.b, kF32, s.b_strides), y = plain_desc(s.y, kF32);
  const auto chosen = best_epilogue(epilogue, q, [&](const dnnl::post_ops& post) {
    NamedAttr attr{make_attr(), ""};
    attr.attr.set_post_ops(post);
    const memory::desc wanted_b = packs ? memory::desc(s.b, kF32, tag::any) : b;
    return make_matmul(*library, a, wanted_b, own_bias ? bias : memory::desc(), y, attr);
  });
  if (!chosen.desc) return no("oneDNN has no such matrix product");
  return assemble_chosen(chosen, [&](const auto& desc, const Epilogue& ops) {
    auto step = std::make_unique<OneDnnStep>(library, q);
    step->set(desc);
    step->in(DNNL_ARG_SRC, a, 0, OneDnnStep::Asks::plain);
    if (packs) step->weight(DNNL_ARG_WEIGHTS, desc.weights_desc(), pack_f32(1, q.in[1], b, desc.weights_desc(), op.alpha));
    else step->in(DNNL_ARG_WEIGHTS, b, 1, OneDnnStep::Asks::plain);
    if (own_bias) bind_conv_bias(*step, q, bias);
    step->out(DNNL_ARG_DST, y, 0, OneDnnStep::Asks::plain);
    bind_epilogue(*step, ops, epilogue, desc, y);
    step->flops = s.flops;
    return step;
  });
}

}  // namespace

std::unique_ptr<Kernel> make_matmul_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<MatMul, build>>("onednn.matmul", library);
}

}  // namespace onecard
