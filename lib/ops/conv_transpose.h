#pragma once
#include "lib/ops/conv.h"

namespace onecard {

// ONNX ConvTranspose: x[N,C,S...], w[C,K/group,R...], b[K] (optional) -> [N,K,O...], then the activation. Same quantized inputs as Conv.
struct ConvTranspose : OpBase<ConvTranspose> {
  static constexpr std::string_view kName = "conv_transpose";
  std::vector<int64_t> strides, dilations, pads, output_padding, output_shape;
  int64_t group = 1;
  AutoPad auto_pad = AutoPad::notset;
  Activation activation;
  static constexpr auto kFields = std::tuple{field("strides", &ConvTranspose::strides), field("dilations", &ConvTranspose::dilations), field("pads", &ConvTranspose::pads),
      field("output_padding", &ConvTranspose::output_padding), field("output_shape", &ConvTranspose::output_shape), field("group", &ConvTranspose::group),
      field("auto_pad", &ConvTranspose::auto_pad), field("activation", &ConvTranspose::activation)};

  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
ConvGeometry conv_transpose_geometry(const ConvTranspose& op, const Dims& x, const Dims& w);

}  // namespace onecard
