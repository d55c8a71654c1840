#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX MaxUnpool: y[indices[i]] = x[i], zero elsewhere; indices count in the tensor of the shape that kernel, strides and pads give. Inputs: x,
// indices, output_shape (optional i64, at least that shape).
struct MaxUnpool : OpBase<MaxUnpool> {
  static constexpr std::string_view kName = "max_unpool";
  std::vector<int64_t> kernel, strides, pads;
  static constexpr auto kFields = std::tuple{field("kernel", &MaxUnpool::kernel), field("strides", &MaxUnpool::strides), field("pads", &MaxUnpool::pads)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
