#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The slices of x that the tuples in the last axis of `indices` name, after `batch_dims` common leading axes. Inputs: x, indices (i64).
struct GatherND : OpBase<GatherND> {
  static constexpr std::string_view kName = "gather_nd";
  int64_t batch_dims = 0;
  static constexpr auto kFields = std::tuple{field("batch_dims", &GatherND::batch_dims)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
