#pragma once
#include "lib/ops/conv.h"

namespace onecard {

enum class PoolFn : uint8_t { max, average, average_with_padding /* count_include_pad */, lp };
inline constexpr std::string_view kPoolFnNames[] = {"max", "average", "average_with_padding", "lp"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<PoolFn>{kPoolFnNames};
enum class Rounding : uint8_t { down, up };
inline constexpr std::string_view kRoundingNames[] = {"down", "up"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<Rounding>{kRoundingNames};

// Pooling over windows of the spatial axes, ONNX MaxPool / AveragePool / LpPool with one output. A quantized x keeps its type under max.
// An average of a quantized x (one scale) is that of its integers, exact, times the scale, and y is `output_dtype` quantized by `output`.
struct Pool : OpBase<Pool> {
  static constexpr std::string_view kName = "pool";
  PoolFn fn = PoolFn::max;
  std::vector<int64_t> kernel, strides, dilations, pads;
  AutoPad auto_pad = AutoPad::notset;
  Rounding rounding = Rounding::down;
  int64_t p = 2;                   // of lp
  QuantizationPtr output;          // of an average of a quantized x
  DType output_dtype = DType::i8;  // with `output`
  static constexpr auto kFields = std::tuple{field("fn", &Pool::fn),
                                             field("kernel", &Pool::kernel),
                                             field("strides", &Pool::strides),
                                             field("dilations", &Pool::dilations),
                                             field("pads", &Pool::pads),
                                             field("auto_pad", &Pool::auto_pad),
                                             field("rounding", &Pool::rounding),
                                             field("p", &Pool::p),
                                             field("output", &Pool::output),
                                             field("output_dtype", &Pool::output_dtype)};
  std::vector<Value*> decompose(Graph&, Node&) const override;
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);  // a MaxPool with Indices becomes MaxPoolIndices
};
// Full geometry for concrete extents; ends are enlarged where rounding up needs it.
ConvGeometry pool_geometry(const Pool& op, const Dims& x);
// The same without that enlargement.
ConvGeometry pool_base_geometry(const Pool& op, const Dims& x);
// How many window elements each element of a plane of y averages: inside x, or inside x and its padding; x, y with batch and channels.
std::vector<double> pool_window_counts(const Pool& op, const Dims& x, const Dims& y);

// MaxPool with its second output: indices into the flattened x (storage_order 0 or 1).
struct MaxPoolIndices : OpBase<MaxPoolIndices> {
  static constexpr std::string_view kName = "max_pool_indices";
  std::vector<int64_t> kernel, strides, dilations, pads;
  AutoPad auto_pad = AutoPad::notset;
  Rounding rounding = Rounding::down;
  int64_t storage_order = 0;
  static constexpr auto kFields = std::tuple{field("kernel", &MaxPoolIndices::kernel),
                                             field("strides", &MaxPoolIndices::strides),
                                             field("dilations", &MaxPoolIndices::dilations),
                                             field("pads", &MaxPoolIndices::pads),
                                             field("auto_pad", &MaxPoolIndices::auto_pad),
                                             field("rounding", &MaxPoolIndices::rounding),
                                             field("storage_order", &MaxPoolIndices::storage_order)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
};

// The mean, maximum or Lp norm over all spatial axes, which stay as extents of 1. Quantized as Pool.
struct GlobalPool : OpBase<GlobalPool> {
  static constexpr std::string_view kName = "global_pool";
  PoolFn fn = PoolFn::average;
  int64_t p = 2;
  QuantizationPtr output;
  DType output_dtype = DType::i8;
  static constexpr auto kFields = std::tuple{field("fn", &GlobalPool::fn), field("p", &GlobalPool::p), field("output", &GlobalPool::output),
                                             field("output_dtype", &GlobalPool::output_dtype)};
  std::vector<Value*> decompose(Graph&, Node&) const override;
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
