#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// start, start + delta, ... up to limit, which is left out. Inputs: start, limit, delta (scalars of one type).
struct Range : OpBase<Range> {
  static constexpr std::string_view kName = "range";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// x repeated repeats[i] times along axis i. Inputs: x, repeats (i64).
struct Tile : OpBase<Tile> {
  static constexpr std::string_view kName = "tile";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// A new axis of extent depth, on where indices name its index and off elsewhere; indices out of range are nowhere on. Inputs: indices, depth,
// values (off, on).
struct OneHot : OpBase<OneHot> {
  static constexpr std::string_view kName = "one_hot";
  int64_t axis = -1;
  static constexpr auto kFields = std::tuple{field("axis", &OneHot::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

enum class Triangle : uint8_t { lower, upper };
inline constexpr std::string_view kTriangleNames[] = {"lower", "upper"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Triangle>{kTriangleNames};
// The matrices of x with zeros outside the triangle that starts at diagonal k. Inputs: x, k (optional i64).
struct Trilu : OpBase<Trilu> {
  static constexpr std::string_view kName = "trilu";
  Triangle triangle = Triangle::upper;
  static constexpr auto kFields = std::tuple{field("triangle", &Trilu::triangle)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// The number of elements of x, as an i64 scalar.
struct SizeOf : OpBase<SizeOf> {
  static constexpr std::string_view kName = "size";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// A matrix of x's extents with ones on diagonal k.
struct EyeLike : OpBase<EyeLike> {
  static constexpr std::string_view kName = "eye_like";
  DType dtype = DType::f32;
  int64_t k = 0;
  static constexpr auto kFields = std::tuple{field("dtype", &EyeLike::dtype), field("k", &EyeLike::k)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
