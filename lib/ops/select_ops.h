#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class TopKOrder : uint8_t { largest, smallest };
inline constexpr std::string_view kTopKOrderNames[] = {"largest", "smallest"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<TopKOrder>{kTopKOrderNames};
// The k first elements along `axis` in the order named, and where they were; equal ones in x's order, NaN above every number.
// Inputs: x, k (i64). Outputs: values, indices (i64).
struct TopK : OpBase<TopK> {
  static constexpr std::string_view kName = "top_k";
  int64_t axis = -1;
  TopKOrder order = TopKOrder::largest;
  static constexpr auto kFields = std::tuple{field("axis", &TopK::axis), field("order", &TopK::order)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// The indices of all elements other than zero, one column each (i64). Of a scalar: no rows.
struct NonZero : OpBase<NonZero> {
  static constexpr std::string_view kName = "non_zero";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
