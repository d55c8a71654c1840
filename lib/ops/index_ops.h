#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// y[.., j, ..] = x[.., indices[.., j, ..], ..] along `axis`. Inputs: x, indices (of x's rank; negative ones count from the back).
struct GatherElements : OpBase<GatherElements> {
  static constexpr std::string_view kName = "gather_elements";
  int64_t axis = 0;
  static constexpr auto kFields = std::tuple{field("axis", &GatherElements::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Picks x[indices[.., :]], a block of x's trailing axes, per leading index; the first `batch_dims` axes of both run together. Inputs: x, indices.
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

// How a scattered element joins the one that is there; none: it takes its place, the last one winning.
enum class ScatterFn : uint8_t { none, add, mul, max, min };
inline constexpr std::string_view kScatterFnNames[] = {"none", "add", "mul", "max", "min"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<ScatterFn>{kScatterFnNames};

// x with the elements that GatherElements would pick replaced by, or combined with, updates. Inputs: x, indices, updates.
struct ScatterElements : OpBase<ScatterElements> {
  static constexpr std::string_view kName = "scatter_elements";
  int64_t axis = 0;
  ScatterFn reduction = ScatterFn::none;
  static constexpr auto kFields = std::tuple{field("axis", &ScatterElements::axis), field("reduction", &ScatterElements::reduction)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;  // ScatterElements, Scatter
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// x with the blocks that GatherND would pick replaced by, or combined with, updates. Inputs: x, indices, updates.
struct ScatterND : OpBase<ScatterND> {
  static constexpr std::string_view kName = "scatter_nd";
  ScatterFn reduction = ScatterFn::none;
  static constexpr auto kFields = std::tuple{field("reduction", &ScatterND::reduction)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
