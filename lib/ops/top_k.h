#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class TopEnd : uint8_t { smallest, largest };
inline constexpr std::string_view kTopEndNames[] = {"smallest", "largest"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<TopEnd>{kTopEndNames};
// The k largest (or smallest) elements along `axis`, in order, and their indices; equal ones by index, NaN as the largest.
// Inputs: x, k (i64). Outputs: values, indices (i64).
struct TopK : OpBase<TopK> {
  static constexpr std::string_view kName = "top_k";
  int64_t axis = -1;
  TopEnd end = TopEnd::largest;
  static constexpr auto kFields = std::tuple{field("axis", &TopK::axis), field("end", &TopK::end)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
