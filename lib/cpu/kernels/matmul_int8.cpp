// MatMul of integers: exact int32 sums over (a - zero) (b - zero), then scales, bias, epilogue in f32, and rounding if y is quantized.
#include <algorithm>

#include "lib/cpu/conv_primitive.h"
#include "lib/cpu/int8.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/matmul_shapes.h"

namespace onecard {
namespace {

using dnnl::memory;
using tag = memory::format_tag;

// b's integers as oneDNN sees them, s8: one zero point, a scale or one per column.
struct Columns {
  std::vector<float> scales;
  int32_t zero = 0;
};

std::optional<Columns> columns_of(const TensorType& b, const MatMul& op) {
  if (const auto one = per_tensor(b)) return Columns{{one->scale}, one->zero - (b.dtype == DType::u8 ? 128 : 0)};
  const int64_t rank = b.shape.rank();
  if (rank < 2) return std::nullopt;
  const int64_t axis = op.transpose_b == Transpose2::yes ? rank - 2 : rank - 1;
  const auto scales = symmetric_scales(b, axis);
  return scales ? std::optional(Columns{*scales, 0}) : std::nullopt;
}

Support types_fit(const KernelQuery& q) {
  if (const Support cpu = int8_is_exact(); !cpu) return cpu;
  if (!per_tensor(q.in[0])) return no("a is not i8 or u8 quantized per tensor: " + q.in[0].text());
  if (!q.constants[1] && q.in[1].dtype != DType::i8) return no("oneDNN wants b signed, and b is not constant: " + q.in[1].text());
  return int8_output_fits(q.out[0]);
}

Built build(const MatMul& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support fits = types_fit(q); !fits) return fits;
  const auto columns = columns_of(q.in[1], op);
  if (!columns) return no("b is not i8 or u8 quantized per tensor, or symmetrically per column: " + q.in[1].text());
  const auto bias_dims = q.has(2) ? std::optional(q.in[2].shape.numbers()) : std::nullopt;
  const MatMulShapes s = matmul_shapes(op, q.in[0].shape.numbers(), q.in[1].shape.numbers(), bias_dims);
  EpilogueSpec epilogue;
  epilogue.activation = op.activation;
  epilogue.order = op.add_order;
  epilogue.dims = s.y;
  const memory::desc bias = q.has(2) ? plain_desc(s.bias, memory::data_type::f32) : memory::desc();
  const bool own_bias = q.has(2) && s.bias_is_row;
  if (q.has(2) && !own_bias) {
    if (q.in[2].quant) return no("a quantized bias that is no row: " + q.in[2].text());
    epilogue.first_addend = std::pair(size_t{2}, bias);
  }
  const int64_t b_rank = q.in[1].shape.rank(), column_axis = b_rank < 2 ? -1 : b_rank - (op.transpose_b == Transpose2::yes ? 2 : 1);
  const Support steps = op.alpha == 1 ? scales_in_steps(q, op.activation, column_axis) : yes();
  for (const Support& fits : {conv_bias_fits(q), epilogue_fits(epilogue, q), steps})
    if (!fits) return fits;
  PerTensor a_quant = *per_tensor(q.in[0]);
  a_quant.scale *= op.alpha;
  const memory::desc a(s.a, dnnl_type(q.in[0].dtype), s.a_strides), b(s.b, memory::data_type::s8, s.b_strides),
      y = plain_desc(s.y, dnnl_type(q.out[0].dtype));
  const bool packs = q.constants[1] != nullptr;
  const int mask = columns->scales.size() == 1 ? 0 : 1 << (s.b.size() - 1);
  const auto chosen = best_epilogue(epilogue, q, [&](const dnnl::post_ops& post) {
    NamedAttr attr = int8_attr(a_quant, mask, q.out[0], columns->zero);
    attr.attr.set_post_ops(post);
    const memory::desc wanted_b = packs ? memory::desc(s.b, memory::data_type::s8, tag::any) : b;
    return make_matmul(*library, a, wanted_b, own_bias ? bias : memory::desc(), y, attr);
  });
  if (!chosen.desc) return no("oneDNN has no such int8 matrix product");
  return assemble_chosen(chosen, [&](const auto& desc, const Epilogue& ops) {
    auto step = std::make_unique<OneDnnStep>(library, q);
    step->set(desc);
    step->in(DNNL_ARG_SRC, a, 0, OneDnnStep::Asks::plain);
    const std::string what =
        std::string("matmul a=") + std::string(info(q.in[0].dtype).name) + (a_quant.zero ? " shifted " : " ") + desc.impl_info_str();
    if (packs) step->weight(DNNL_ARG_WEIGHTS, desc.weights_desc(), pack_s8(1, what, q.in[1].dtype, b, desc.weights_desc()));
    else step->in(DNNL_ARG_WEIGHTS, b, 1, OneDnnStep::Asks::plain);
    if (own_bias) bind_conv_bias(*step, q, bias);
    step->out(DNNL_ARG_DST, y, 0, OneDnnStep::Asks::plain);
    bind_epilogue(*step, ops, epilogue, desc, y);
    bind_int8(*step, a_quant, columns->scales, q.out[0], columns->zero);
    step->flops = s.flops;
    return step;
  });
}

}  // namespace

std::unique_ptr<Kernel> make_matmul_int8_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<MatMul, build>>("onednn.matmul_int8", library);
}

}  // namespace onecard
