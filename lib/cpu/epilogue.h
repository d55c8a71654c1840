#pragma once
#include <optional>

#include "lib/cpu/onednn.h"
#include "lib/ops/epilogue.h"

namespace onecard {

// A function as a oneDNN eltwise; none where it has no equal.
struct Eltwise {
  dnnl::algorithm algorithm;
  float alpha = 0, beta = 0;
};
std::optional<Eltwise> eltwise_of(const Activation& f);

// The end of a convolution or matrix product: activation, residual, output quantization.
struct EpilogueSpec {
  Activation activation;
  AddOrder order = AddOrder::before_activation;
  size_t residual_input = 3;
  Dims dims;                                                          // of the output as the primitive sees it
  std::optional<std::pair<size_t, dnnl::memory::desc>> first_addend;  // an input added before all else, broadcast
  float first_factor = 1;                                             // the sum is multiplied by this before all else
};
// Whether oneDNN has all its parts.
Support epilogue_fits(const EpilogueSpec& spec, const KernelQuery& q);

// How the residual is added: read from the output's own memory, or as an operand of its own.
enum class ResidualBy { sum, operand };
bool can_sum(const EpilogueSpec& spec, const KernelQuery& q);

// Post-ops and the node inputs that they read, in post-op order.
struct Epilogue {
  dnnl::post_ops ops;
  std::vector<std::pair<int, size_t>> operands;  // (post-op number, node input)
  bool sums = false;
};
// `residual`: its format as an operand; a zero descriptor leaves the choice to oneDNN.
Epilogue make_epilogue(const EpilogueSpec& spec, const KernelQuery& q, ResidualBy by, const dnnl::memory::desc& residual = {});
// The format that the residual must have beside an output like `out` when `desc` does not say; none when it says, or there is no residual operand.
std::optional<dnnl::memory::desc> unsaid_residual(const EpilogueSpec& spec, const Epilogue& epilogue, const KernelQuery& q,
                                                  const dnnl::primitive_desc_base& desc, const dnnl::memory::desc& out);
// Tells the step about the operands of the post-ops, in the formats that `desc` chose.
void bind_epilogue(OneDnnStep& step, const Epilogue& epilogue, const EpilogueSpec& spec, const dnnl::primitive_desc_base& desc,
                   const dnnl::memory::desc& out);

// A primitive with its post-ops, and the same one with the residual as an operand, for launches where the sum has no place to start from.
template <class Desc>
struct Chosen {
  Desc desc;
  Epilogue epilogue;
  std::optional<std::pair<Desc, Epilogue>> apart;
};

// make(post-ops) with the residual added one way; an empty descriptor when oneDNN has none.
template <class Make>
auto with_residual(const EpilogueSpec& spec, const KernelQuery& q, ResidualBy by, Make make) {
  Epilogue epilogue = make_epilogue(spec, q, by);
  auto desc = make(epilogue.ops);
  if (!desc) return std::pair(desc, epilogue);
  const dnnl::memory::desc out = desc.dst_desc();
  if (const auto format = unsaid_residual(spec, epilogue, q, desc, out)) {
    epilogue = make_epilogue(spec, q, by, *format);
    desc = make(epilogue.ops);
    if (desc && desc.dst_desc() != out) desc = decltype(desc)();
  }
  return std::pair(desc, epilogue);
}

// Sums in place where that is compiled code, else takes the residual as an operand.
template <class Make>
auto best_epilogue(const EpilogueSpec& spec, const KernelQuery& q, Make make) {
  auto [operand, operand_epilogue] = with_residual(spec, q, ResidualBy::operand, make);
  Chosen<decltype(operand)> chosen{operand, operand_epilogue, std::nullopt};
  if (!q.has(spec.residual_input) || !can_sum(spec, q)) return chosen;
  auto [sum, sum_epilogue] = with_residual(spec, q, ResidualBy::sum, make);
  if (is_slow(sum) && !is_slow(operand)) return chosen;
  if (!sum) return chosen;
  chosen = {sum, sum_epilogue, std::nullopt};
  const bool exchangeable = !is_slow(operand) && operand.src_desc() == sum.src_desc() && operand.weights_desc() == sum.weights_desc() &&
                            operand.dst_desc() == sum.dst_desc();
  if (exchangeable) chosen.apart = std::pair(operand, operand_epilogue);
  return chosen;
}

// assemble(desc, epilogue) makes a step of either form.
template <class Desc, class Assemble>
std::unique_ptr<OneDnnStep> assemble_chosen(const Chosen<Desc>& chosen, Assemble assemble) {
  std::unique_ptr<OneDnnStep> step = assemble(chosen.desc, chosen.epilogue);
  if (chosen.apart) step->apart(assemble(chosen.apart->first, chosen.apart->second));
  return step;
}

}  // namespace onecard
