#pragma once
#include "lib/ops/conv.h"

namespace onecard {

// ONNX ConvInteger: exact sums of (x - x_zero) * (w - w_zero) in i32. Inputs: x, w, x_zero (optional scalar), w_zero (optional, one or per
// output channel); integers of 8 bits.
struct ConvInteger : OpBase<ConvInteger> {
  static constexpr std::string_view kName = "conv_integer";
  std::vector<int64_t> strides, dilations, pads;
  int64_t group = 1;
  AutoPad auto_pad = AutoPad::notset;
  static constexpr auto kFields = std::tuple{field("strides", &ConvInteger::strides), field("dilations", &ConvInteger::dilations), field("pads", &ConvInteger::pads),
      field("group", &ConvInteger::group), field("auto_pad", &ConvInteger::auto_pad)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// ONNX QLinearConv: y = saturate(round_half_even(sum * x_scale * w_scale / y_scale) + y_zero), sum the exact one of ConvInteger plus b.
// Inputs: x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, b (optional i32); w_scale and w_zero one or per output channel.
struct QLinearConv : OpBase<QLinearConv> {
  static constexpr std::string_view kName = "qlinear_conv";
  std::vector<int64_t> strides, dilations, pads;
  int64_t group = 1;
  AutoPad auto_pad = AutoPad::notset;
  static constexpr auto kFields = std::tuple{field("strides", &QLinearConv::strides), field("dilations", &QLinearConv::dilations), field("pads", &QLinearConv::pads),
      field("group", &QLinearConv::group), field("auto_pad", &QLinearConv::auto_pad)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
