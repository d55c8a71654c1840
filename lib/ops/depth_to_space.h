#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// How the channels of x are read: block position outermost (DCR) or innermost (CRD).
enum class DepthOrder : uint8_t { block_first, channel_first };
inline constexpr std::string_view kDepthOrderNames[] = {"block_first", "channel_first"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<DepthOrder>{kDepthOrderNames};

// x[N,C,H,W] -> y[N,C/b^2,H*b,W*b]: channels become blocks of b by b pixels (b = block).
struct DepthToSpace : OpBase<DepthToSpace> {
  static constexpr std::string_view kName = "depth_to_space";
  int64_t block = 1;
  DepthOrder order = DepthOrder::block_first;
  static constexpr auto kFields = std::tuple{field("block", &DepthToSpace::block), field("order", &DepthToSpace::order)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// x[N,C,H,W] -> y[N,C*b^2,H/b,W/b]: the inverse of DepthToSpace.
struct SpaceToDepth : OpBase<SpaceToDepth> {
  static constexpr std::string_view kName = "space_to_depth";
  int64_t block = 1;
  DepthOrder order = DepthOrder::block_first;
  static constexpr auto kFields = std::tuple{field("block", &SpaceToDepth::block), field("order", &SpaceToDepth::order)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
