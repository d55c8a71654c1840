#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// Joins the inputs along `axis`.
struct Concat : OpBase<Concat> {
  static constexpr std::string_view kName = "concat";
  int64_t axis = 0;
  static constexpr auto kFields = std::tuple{field("axis", &Concat::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Cuts x along `axis` into `outputs` pieces. Inputs: x, split (optional i64: their sizes; else equal, the last one smaller).
struct Split : OpBase<Split> {
  static constexpr std::string_view kName = "split";
  int64_t axis = 0, outputs = 1;
  static constexpr auto kFields = std::tuple{field("axis", &Split::axis), field("outputs", &Split::outputs)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Inputs: x, starts, ends, axes (optional), steps (optional), as ONNX Slice of opset 10 on.
struct Slice : OpBase<Slice> {
  static constexpr std::string_view kName = "slice";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
// One axis of a slice over concrete extents: first index, step, count.
struct SliceRange {
  int64_t start = 0, step = 1, count = 0;
};
std::vector<SliceRange> slice_ranges(const Dims& x, const std::vector<int64_t>& starts, const std::vector<int64_t>& ends,
                                     const std::optional<std::vector<int64_t>>& axes, const std::optional<std::vector<int64_t>>& steps);

// y[.., i.., ..] = x[.., indices[i..], ..] along `axis`; negative indices count from the back, others are refused.
struct Gather : OpBase<Gather> {
  static constexpr std::string_view kName = "gather";
  int64_t axis = 0;
  static constexpr auto kFields = std::tuple{field("axis", &Gather::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Broadcasts x to `shape` (both ways, as numpy). Inputs: x, shape.
struct Expand : OpBase<Expand> {
  static constexpr std::string_view kName = "expand";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

enum class PadMode : uint8_t { constant, reflect, edge, wrap };
inline constexpr std::string_view kPadModeNames[] = {"constant", "reflect", "edge", "wrap"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<PadMode>{kPadModeNames};
// Inputs: x, pads (i64: begins then ends; negative ones cut), value (optional scalar), axes (optional), as ONNX Pad of opset 18 on.
struct Pad : OpBase<Pad> {
  static constexpr std::string_view kName = "pad";
  PadMode mode = PadMode::constant;
  static constexpr auto kFields = std::tuple{field("mode", &Pad::mode)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// c ? x : y elementwise with broadcasting. Inputs: c (boolean), x, y.
struct Where : OpBase<Where> {
  static constexpr std::string_view kName = "where";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
