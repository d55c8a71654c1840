#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The indices of `axis` (of the flattened x: kFlat) whose condition holds. Inputs: x, condition (boolean list, may be shorter than the axis).
struct Compress : OpBase<Compress> {
  static constexpr std::string_view kName = "compress";
  static constexpr int64_t kFlat = INT64_MIN;
  int64_t axis = kFlat;
  static constexpr auto kFields = std::tuple{field("axis", &Compress::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
