#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX CenterCropPad: cuts or zero-pads x around its centre to the extents `shape`. Inputs: x, shape (i64, one per axis of `axes`; empty: all).
struct CenterCropPad : OpBase<CenterCropPad> {
  static constexpr std::string_view kName = "center_crop_pad";
  std::vector<int64_t> axes;
  static constexpr auto kFields = std::tuple{field("axes", &CenterCropPad::axes)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
