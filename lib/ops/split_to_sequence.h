#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class SplitAxis : uint8_t { dropped, kept };
inline constexpr std::string_view kSplitAxisNames[] = {"dropped", "kept"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<SplitAxis>{kSplitAxisNames};
// The pieces of x along `axis` as a sequence: of the extents `split` (a list), of `split` each (a scalar), or of 1 (absent), then without the axis
// when it is dropped. Inputs: x, split (optional).
struct SplitToSequence : OpBase<SplitToSequence> {
  static constexpr std::string_view kName = "split_to_sequence";
  int64_t axis = 0;
  SplitAxis split_axis = SplitAxis::kept;
  static constexpr auto kFields = std::tuple{field("axis", &SplitToSequence::axis), field("split_axis", &SplitToSequence::split_axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
