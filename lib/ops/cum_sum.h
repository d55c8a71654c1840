#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class SumOrder : uint8_t { forward, reverse };
inline constexpr std::string_view kSumOrderNames[] = {"forward", "reverse"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<SumOrder>{kSumOrderNames};
enum class OwnElement : uint8_t { included, excluded };
inline constexpr std::string_view kOwnElementNames[] = {"included", "excluded"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<OwnElement>{kOwnElementNames};

// Running sums along one axis. Inputs: x, axis (one integer).
struct CumSum : OpBase<CumSum> {
  static constexpr std::string_view kName = "cum_sum";
  SumOrder order = SumOrder::forward;
  OwnElement own = OwnElement::included;
  static constexpr auto kFields = std::tuple{field("order", &CumSum::order), field("own", &CumSum::own)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
