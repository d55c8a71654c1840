#pragma once
#include "lib/ops/activation.h"
#include "lib/ops/registry.h"

namespace onecard {

// y = f(x) elementwise; same type, but boolean for isnan and isinf. On a quantized x only functions that keep the scale.
struct Unary : OpBase<Unary> {
  static constexpr std::string_view kName = "unary";
  Activation f;
  static constexpr auto kFields = std::tuple{field("f", &Unary::f)};
  Unary() = default;
  explicit Unary(Activation a) : f(a) {}

  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;  // silu, clip, square; any function on a quantized x
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
