#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX Col2Im: adds the columns of x[N, C * block, L] at the places a sliding block takes in an image. Inputs: x, image_shape (i64),
// block_shape (i64). y[N, C, image...].
struct Col2Im : OpBase<Col2Im> {
  static constexpr std::string_view kName = "col2im";
  std::vector<int64_t> strides, dilations, pads;
  static constexpr auto kFields = std::tuple{field("strides", &Col2Im::strides), field("dilations", &Col2Im::dilations), field("pads", &Col2Im::pads)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
