#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// y = x / (bias + alpha / size * sum of x^2 over the `size` channels (axis 1) around it) ^ beta.
struct Lrn : OpBase<Lrn> {
  static constexpr std::string_view kName = "lrn";
  int64_t size = 1;
  float alpha = 1e-4f, beta = 0.75f, bias = 1;
  static constexpr auto kFields = std::tuple{field("size", &Lrn::size), field("alpha", &Lrn::alpha), field("beta", &Lrn::beta), field("bias", &Lrn::bias)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
