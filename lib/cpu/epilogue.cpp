#include "lib/cpu/epilogue.h"

namespace onecard {

using dnnl::algorithm;
using dnnl::memory;

std::optional<Eltwise> eltwise_of(const Activation& f) {
  switch (f.fn) {
    case Fn::relu: return Eltwise{algorithm::eltwise_relu};
    case Fn::leaky_relu: return Eltwise{algorithm::eltwise_relu, f.alpha};
    case Fn::elu: return Eltwise{algorithm::eltwise_elu, f.alpha};
    case Fn::celu:
      if (f.alpha == 1) return Eltwise{algorithm::eltwise_elu, 1};
      else return std::nullopt;
    case Fn::sigmoid: return Eltwise{algorithm::eltwise_logistic};
    case Fn::hard_sigmoid: return Eltwise{algorithm::eltwise_hardsigmoid, f.alpha, f.beta};
    case Fn::hard_swish: return Eltwise{algorithm::eltwise_hardswish, 1.0f / 6, 0.5f};
    case Fn::tanh: return Eltwise{algorithm::eltwise_tanh};
    case Fn::softplus: return Eltwise{algorithm::eltwise_soft_relu, 1};
    case Fn::mish: return Eltwise{algorithm::eltwise_mish};
    case Fn::gelu: return Eltwise{algorithm::eltwise_gelu_erf};
    case Fn::gelu_tanh: return Eltwise{algorithm::eltwise_gelu_tanh};
    case Fn::silu: return Eltwise{algorithm::eltwise_swish, f.alpha};
    case Fn::clip:
      if (f.alpha <= f.beta) return Eltwise{algorithm::eltwise_clip, f.alpha, f.beta};
      else return std::nullopt;
    case Fn::abs: return Eltwise{algorithm::eltwise_abs};
    case Fn::neg: return Eltwise{algorithm::eltwise_linear, -1, 0};
    case Fn::round: return Eltwise{algorithm::eltwise_round};
    case Fn::exp: return Eltwise{algorithm::eltwise_exp};
    case Fn::log: return Eltwise{algorithm::eltwise_log};
    case Fn::sqrt: return Eltwise{algorithm::eltwise_sqrt};
    case Fn::square: return Eltwise{algorithm::eltwise_square};
    default: return std::nullopt;
  }
}

Support epilogue_fits(const EpilogueSpec& spec, const KernelQuery& q) {
  if (!spec.activation.is_identity() && !eltwise_of(spec.activation))
    return no("oneDNN has no eltwise for " + std::string(kFnNames[static_cast<size_t>(spec.activation.fn)]) + " with these parameters");
  if (q.has(spec.residual_input)) {
    const TensorType& r = q.in[spec.residual_input];
    if (r.shape != q.out[0].shape) return no("residual " + r.text() + " is not of the output's shape");
    if (r.quant ? !per_tensor(r) : r.dtype != DType::f32) return no("residual " + r.text() + " is neither f32 nor quantized per tensor");
  }
  return yes();
}

bool can_sum(const EpilogueSpec& spec, const KernelQuery& q) {
  const TensorType& r = q.in[spec.residual_input];
  // oneDNN 3.2 reads a summed output as its own type, whatever type the sum names.
  return (r.quant != nullptr) == (q.out[0].quant != nullptr) && r.dtype == q.out[0].dtype;
}

namespace {

void append_activation(dnnl::post_ops& ops, const Activation& f) {
  if (f.is_identity()) return;
  const Eltwise e = *eltwise_of(f);
  ops.append_eltwise(e.algorithm, e.alpha, e.beta);
}

void append_residual(Epilogue& e, const EpilogueSpec& spec, const TensorType& type, ResidualBy by, const memory::desc& format) {
  const auto quant = per_tensor(type);
  if (by == ResidualBy::sum) {
    e.sums = true;
    if (quant) e.ops.append_sum(quant->scale, quant->zero, dnnl_type(type.dtype));
    else e.ops.append_sum(1.0f);
    return;
  }
  // oneDNN adds stored integers without scale: acc + s (r - z) = s ((acc / s - z) + r).
  if (quant) e.ops.append_eltwise(algorithm::eltwise_linear, 1.0f / quant->scale, -static_cast<float>(quant->zero));
  e.operands.push_back({e.ops.len(), spec.residual_input});
  e.ops.append_binary(algorithm::binary_add, format.is_zero() ? memory::desc(spec.dims, dnnl_type(type.dtype), memory::format_tag::any) : format);
  if (quant) e.ops.append_eltwise(algorithm::eltwise_linear, quant->scale, 0);
}

}  // namespace

Epilogue make_epilogue(const EpilogueSpec& spec, const KernelQuery& q, ResidualBy by, const memory::desc& format) {
  Epilogue e;
  if (spec.first_factor != 1) e.ops.append_eltwise(algorithm::eltwise_linear, spec.first_factor, 0);
  if (spec.first_addend) {
    e.operands.push_back({e.ops.len(), spec.first_addend->first});
    e.ops.append_binary(algorithm::binary_add, spec.first_addend->second);
  }
  const bool residual = q.has(spec.residual_input);
  if (residual && spec.order == AddOrder::before_activation) append_residual(e, spec, q.in[spec.residual_input], by, format);
  append_activation(e.ops, spec.activation);
  if (residual && spec.order == AddOrder::after_activation) append_residual(e, spec, q.in[spec.residual_input], by, format);
  return e;
}

namespace {

memory::desc operand_desc(const dnnl::primitive_desc_base& desc, int number) {
  algorithm unused;
  memory::desc operand;
  desc.get_primitive_attr().get_post_ops().get_params_binary(number, unused, operand);
  return operand;
}

}  // namespace

std::optional<memory::desc> unsaid_residual(const EpilogueSpec& spec, const Epilogue& epilogue, const KernelQuery& q,
                                            const dnnl::primitive_desc_base& desc, const memory::desc& out) {
  for (const auto& [number, input] : epilogue.operands)
    if (input == spec.residual_input && operand_desc(desc, number).get_format_kind() == memory::format_kind::any)
      return same_format(out, spec.dims, dnnl_type(q.in[input].dtype));
  return std::nullopt;
}

void bind_epilogue(OneDnnStep& step, const Epilogue& epilogue, const EpilogueSpec& spec, const dnnl::primitive_desc_base& desc,
                   const memory::desc& out) {
  for (const auto& [number, input] : epilogue.operands) {
    const memory::desc operand = operand_desc(desc, number);
    const int arg = DNNL_ARG_ATTR_MULTIPLE_POST_OP(number) | DNNL_ARG_SRC_1;
    // A broadcast addend is given to oneDNN plain, under extents of its own.
    step.in(arg, operand, input, spec.first_addend && input == spec.first_addend->first ? OneDnnStep::Asks::plain : OneDnnStep::Asks::layout);
  }
  if (!epilogue.sums) return;
  step.start_from(spec.residual_input, static_cast<int64_t>(out.get_size()));
  step.in_layouts[spec.residual_input] = layout_of(out);
}

}  // namespace onecard
