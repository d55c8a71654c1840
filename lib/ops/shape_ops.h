#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The same elements in row-major order under another shape. Inputs: x, shape (i64; -1 once: the rest; 0: the extent of x, unless
// zero_means is `zero`). Flatten, Squeeze and Unsqueeze with known axes and ranks stay ops of their own for exact symbolic shapes.
enum class ZeroMeans : uint8_t { copy, zero };
inline constexpr std::string_view kZeroMeansNames[] = {"copy", "zero"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<ZeroMeans>{kZeroMeansNames};
struct Reshape : OpBase<Reshape> {
  static constexpr std::string_view kName = "reshape";
  ZeroMeans zero_means = ZeroMeans::copy;
  static constexpr auto kFields = std::tuple{field("zero_means", &Reshape::zero_means)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// x[d0..da-1 | da..] -> 2-D.
struct Flatten : OpBase<Flatten> {
  static constexpr std::string_view kName = "flatten";
  int64_t axis = 1;
  static constexpr auto kFields = std::tuple{field("axis", &Flatten::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Removes extents of 1. Inputs: x, axes (optional i64: all extents of 1).
struct Squeeze : OpBase<Squeeze> {
  static constexpr std::string_view kName = "squeeze";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Inserts extents of 1 at `axes` of the result. Inputs: x, axes (i64).
struct Unsqueeze : OpBase<Unsqueeze> {
  static constexpr std::string_view kName = "unsqueeze";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// y's axis i is x's axis perm[i]; empty: reversed.
struct Transpose : OpBase<Transpose> {
  static constexpr std::string_view kName = "transpose";
  std::vector<int64_t> perm;
  static constexpr auto kFields = std::tuple{field("perm", &Transpose::perm)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Converts every element to `to`, by ONNX Cast.
enum class Saturate : uint8_t { yes, no };
inline constexpr std::string_view kSaturateNames[] = {"yes", "no"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Saturate>{kSaturateNames};
struct Cast : OpBase<Cast> {
  static constexpr std::string_view kName = "cast";
  DType to = DType::f32;
  Saturate saturate = Saturate::yes;
  static constexpr auto kFields = std::tuple{field("to", &Cast::to), field("saturate", &Cast::saturate)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;       // Cast, CastLike
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// The extents of x from `start` to `end` (negative from the back), as i64.
struct ShapeOf : OpBase<ShapeOf> {
  static constexpr std::string_view kName = "shape";
  int64_t start = 0, end = INT64_MAX;
  static constexpr auto kFields = std::tuple{field("start", &ShapeOf::start), field("end", &ShapeOf::end)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
