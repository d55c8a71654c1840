#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class BinaryFn : uint8_t { add, sub, mul, div, pow, max, min, mod, fmod, prelu, equal, less, less_equal, greater, greater_equal,
                                logical_and, logical_or, logical_xor, bitwise_and, bitwise_or, bitwise_xor, shift_left, shift_right };
inline constexpr std::string_view kBinaryFnNames[] = {"add", "sub", "mul", "div", "pow", "max", "min", "mod", "fmod", "prelu", "equal", "less", "less_equal", "greater",
    "greater_equal", "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "shift_left", "shift_right"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<BinaryFn>{kBinaryFnNames};

// y = a fn b elementwise with multidirectional broadcasting. Type of a (pow too); boolean for comparisons and logic.
struct Binary : OpBase<Binary> {
  static constexpr std::string_view kName = "binary";
  BinaryFn fn = BinaryFn::add;
  static constexpr auto kFields = std::tuple{field("fn", &Binary::fn)};
  Binary() = default;
  explicit Binary(BinaryFn f) : fn(f) {}

  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// The shape two shapes broadcast to (ONNX multidirectional); raises model when they do not. An unknown or symbolic extent against a number
// n > 1 gives n; two different symbolic extents give unknown.
Shape broadcast(const Shape& a, const Shape& b);

}  // namespace onecard
