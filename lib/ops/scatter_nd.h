#pragma once
#include "lib/ops/scatter.h"

namespace onecard {

// x with the slices that the tuples in the last axis of `indices` name replaced by, or combined with, `updates`. Inputs: x, indices (i64), updates.
struct ScatterND : OpBase<ScatterND> {
  static constexpr std::string_view kName = "scatter_nd";
  ScatterReduction reduction = ScatterReduction::none;
  static constexpr auto kFields = std::tuple{field("reduction", &ScatterND::reduction)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
