#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class Inverse : uint8_t { no, yes };
inline constexpr std::string_view kInverseNames[] = {"no", "yes"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Inverse>{kInverseNames};
// Whether a spectrum holds every frequency or only those up to half the length (of real signals).
enum class Sides : uint8_t { two, one };
inline constexpr std::string_view kSidesNames[] = {"two", "one"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Sides>{kSidesNames};

// ONNX DFT of opset 20 along one axis (default -2). Inputs: x[..., 1 or 2] (real, or real and imaginary), dft_length (optional scalar), axis
// (optional scalar). The inverse is divided by the length; the inverse of a one-sided spectrum is real.
struct Dft : OpBase<Dft> {
  static constexpr std::string_view kName = "dft";
  Inverse inverse = Inverse::no;
  Sides sides = Sides::two;
  static constexpr auto kFields = std::tuple{field("inverse", &Dft::inverse), field("sides", &Dft::sides)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
