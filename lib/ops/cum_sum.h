#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class SumOrder : uint8_t { forward, reverse };
inline constexpr std::string_view kSumOrderNames[] = {"forward", "reverse"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<SumOrder>{kSumOrderNames};
enum class OwnElement : uint8_t { included, excluded };
inline constexpr std::string_view kOwnElementNames[] = {"included", "excluded"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<OwnElement>{kOwnElementNames};

enum class RunningFn : uint8_t { sum, prod };
inline constexpr std::string_view kRunningFnNames[] = {"sum", "prod"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<RunningFn>{kRunningFnNames};

// Running sums, or products, along one axis. Inputs: x, axis (one integer).
struct CumSum : OpBase<CumSum> {
  static constexpr std::string_view kName = "cum_sum";
  SumOrder order = SumOrder::forward;
  OwnElement own = OwnElement::included;
  RunningFn fn = RunningFn::sum;
  static constexpr auto kFields = std::tuple{field("order", &CumSum::order), field("own", &CumSum::own), field("fn", &CumSum::fn)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
