#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class SoftmaxForm : uint8_t { plain, log };
inline constexpr std::string_view kSoftmaxFormNames[] = {"plain", "log"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<SoftmaxForm>{kSoftmaxFormNames};

// y = exp(x - max) / sum(exp(x - max)) along `axis` (negative counts from the back), or its logarithm.
struct Softmax : OpBase<Softmax> {
  static constexpr std::string_view kName = "softmax";
  int64_t axis = -1;
  SoftmaxForm form = SoftmaxForm::plain;
  static constexpr auto kFields = std::tuple{field("axis", &Softmax::axis), field("form", &Softmax::form)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;       // Softmax, LogSoftmax; before opset 13 expanded with reshapes
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
