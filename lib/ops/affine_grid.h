#pragma once
#include "lib/ops/grid_sample.h"

namespace onecard {

// ONNX AffineGrid: sampling positions for GridSample. Inputs: theta[N,2,3] or [N,3,4], size (i64: N,C,H,W or N,C,D,H,W).
// y[N,H,W,2] or [N,D,H,W,3].
struct AffineGrid : OpBase<AffineGrid> {
  static constexpr std::string_view kName = "affine_grid";
  Corners corners = Corners::edges;
  static constexpr auto kFields = std::tuple{field("corners", &AffineGrid::corners)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
