#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// Sums of products over labelled axes, as numpy.einsum writes them: "bij,bjk->bik", with "..." for axes that broadcast.
struct Einsum : OpBase<Einsum> {
  static constexpr std::string_view kName = "einsum";
  std::string equation;
  static constexpr auto kFields = std::tuple{field("equation", &Einsum::equation)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;       // equations of two operands that are a matrix product become one at import
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// An equation for operands of known ranks: the label of every axis. Axes under "..." have labels of their own, aligned at the last one.
struct EinsumLabels {
  std::vector<std::vector<int>> operands;
  std::vector<int> result;
  std::vector<int> summed;                            // in the operands, not in the result
};
// Raises model when the equation is malformed or does not fit the ranks.
EinsumLabels einsum_labels(const std::string& equation, const std::vector<int64_t>& ranks);

}  // namespace onecard
