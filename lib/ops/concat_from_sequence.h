#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class Joining : uint8_t { along_axis, new_axis };
inline constexpr std::string_view kJoiningNames[] = {"along_axis", "new_axis"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Joining>{kJoiningNames};
// The tensors of a sequence joined along `axis`, or stacked along a new one.
struct ConcatFromSequence : OpBase<ConcatFromSequence> {
  static constexpr std::string_view kName = "concat_from_sequence";
  int64_t axis = 0;
  Joining joining = Joining::along_axis;
  static constexpr auto kFields = std::tuple{field("axis", &ConcatFromSequence::axis), field("joining", &ConcatFromSequence::joining)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
