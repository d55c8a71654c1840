#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class OptionalOf : uint8_t { tensor, sequence };
inline constexpr std::string_view kOptionalOfNames[] = {"tensor", "sequence"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<OptionalOf>{kOptionalOfNames};
// An optional holding the input; without an input an empty one of `dtype` tensors, or sequences of them.
struct Optional : OpBase<Optional> {
  static constexpr std::string_view kName = "optional";
  DType dtype = DType::f32;
  OptionalOf of = OptionalOf::tensor;
  static constexpr auto kFields = std::tuple{field("dtype", &Optional::dtype), field("of", &Optional::of)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// What an optional holds; raises model when it is empty. A tensor or sequence is given back as it is.
struct OptionalGetElement : OpBase<OptionalGetElement> {
  static constexpr std::string_view kName = "optional_get";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Whether an optional holds something, as a boolean scalar; false without an input.
struct OptionalHasElement : OpBase<OptionalHasElement> {
  static constexpr std::string_view kName = "optional_has";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
