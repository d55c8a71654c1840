#pragma once
#include "lib/ops/dynamic_codes.h"
#include "lib/ops/epilogue.h"
#include "lib/ops/registry.h"

namespace onecard {

enum class AutoPad : uint8_t { notset, same_upper, same_lower, valid };
inline constexpr std::string_view kAutoPadNames[] = {"notset", "same_upper", "same_lower", "valid"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<AutoPad>{kAutoPadNames};

// y[N,K,O...] = epilogue(x[N,C,S...] * w[K,C/group,R...] + b[K], residual[N,K,O...]); any number of spatial dimensions, ONNX Conv.
// Inputs: x, w, b (optional), residual (optional). strides, dilations empty: ones; pads empty: zeros (all begins, then all ends).
// x and w may be quantized (i8/u8): then sums are exact in int32 over (stored - zero point), times the scales, and y is f32, unless
// `output` is set: then y is `output_dtype` quantized so (round half to even, saturated). A quantized residual counts by its real values.
// `dynamic`, tensor or image: x is f32 and quantized while running, w is quantized as above.
struct Conv : OpBase<Conv> {
  static constexpr std::string_view kName = "conv";
  std::vector<int64_t> strides, dilations, pads;
  int64_t group = 1;
  AutoPad auto_pad = AutoPad::notset;
  Activation activation;
  AddOrder add_order = AddOrder::before_activation;
  QuantizationPtr output;
  DType output_dtype = DType::i8;                     // with `output`
  Dynamic dynamic = Dynamic::no;
  static constexpr auto kFields = std::tuple{field("strides", &Conv::strides), field("dilations", &Conv::dilations), field("pads", &Conv::pads),
      field("group", &Conv::group), field("auto_pad", &Conv::auto_pad), field("activation", &Conv::activation), field("add_order", &Conv::add_order),
      field("output", &Conv::output), field("output_dtype", &Conv::output_dtype), field("dynamic", &Conv::dynamic)};

  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// strides, dilations and begin/end pads in full, for concrete spatial extents of x and kernel: what kernels and reference use.
struct ConvGeometry {
  std::vector<int64_t> kernel, strides, dilations, pads_begin, pads_end;
};
ConvGeometry conv_geometry(const Conv& op, const Dims& x, const Dims& w);

}  // namespace onecard
