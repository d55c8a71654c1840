#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX MaxRoiPool. Inputs: x[N,C,H,W], rois[R,5] (batch,x1,y1,x2,y2, scaled and rounded). y[R,C,height,width]; an empty bin is 0.
struct MaxRoiPool : OpBase<MaxRoiPool> {
  static constexpr std::string_view kName = "max_roi_pool";
  int64_t height = 1, width = 1;
  float spatial_scale = 1;
  static constexpr auto kFields = std::tuple{field("height", &MaxRoiPool::height), field("width", &MaxRoiPool::width), field("spatial_scale", &MaxRoiPool::spatial_scale)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
