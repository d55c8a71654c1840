#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class Triangle : uint8_t { lower, upper };
inline constexpr std::string_view kTriangleNames[] = {"lower", "upper"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Triangle>{kTriangleNames};
// The upper or lower triangle of the matrices in the last two axes, from diagonal k on; the rest is zero. Inputs: x, k (optional i64 scalar).
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

}  // namespace onecard
