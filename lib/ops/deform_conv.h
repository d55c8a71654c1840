#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX DeformConv in two dimensions: a convolution that reads x at kernel position + offset, bilinearly, times mask. Inputs: x[N,C,H,W],
// w[K,C/group,R,S], offset[N, offset_group * R * S * 2, oH, oW] (y then x), b[K] (optional), mask[N, offset_group * R * S, oH, oW] (optional).
struct DeformConv : OpBase<DeformConv> {
  static constexpr std::string_view kName = "deform_conv";
  std::vector<int64_t> strides, dilations, pads;
  int64_t group = 1, offset_group = 1;
  static constexpr auto kFields = std::tuple{field("strides", &DeformConv::strides), field("dilations", &DeformConv::dilations), field("pads", &DeformConv::pads),
      field("group", &DeformConv::group), field("offset_group", &DeformConv::offset_group)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
