#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class ReduceFn : uint8_t { sum, mean, max, min, prod, l1, l2, log_sum, log_sum_exp, sum_square };
inline constexpr std::string_view kReduceFnNames[] = {"sum", "mean", "max", "min", "prod", "l1", "l2", "log_sum", "log_sum_exp", "sum_square"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<ReduceFn>{kReduceFnNames};
enum class KeepDims : uint8_t { no, yes };
inline constexpr std::string_view kKeepDimsNames[] = {"no", "yes"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<KeepDims>{kKeepDimsNames};
enum class WhenNoAxes : uint8_t { reduce_all, nothing };
inline constexpr std::string_view kWhenNoAxesNames[] = {"reduce_all", "nothing"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<WhenNoAxes>{kWhenNoAxesNames};

// Reduces over axes. Inputs: x, axes (optional, i64; from constants or at run time, as ONNX has it from opset 18 on).
struct Reduce : OpBase<Reduce> {
  static constexpr std::string_view kName = "reduce";
  ReduceFn fn = ReduceFn::sum;
  KeepDims keep_dims = KeepDims::yes;
  WhenNoAxes when_no_axes = WhenNoAxes::reduce_all;
  static constexpr auto kFields = std::tuple{field("fn", &Reduce::fn), field("keep_dims", &Reduce::keep_dims), field("when_no_axes", &Reduce::when_no_axes)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
