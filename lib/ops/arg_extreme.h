#pragma once
#include "lib/ops/reduce.h"

namespace onecard {

enum class Extreme : uint8_t { max, min };
inline constexpr std::string_view kExtremeNames[] = {"max", "min"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Extreme>{kExtremeNames};
enum class Among : uint8_t { first, last };
inline constexpr std::string_view kAmongNames[] = {"first", "last"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Among>{kAmongNames};

// The index (i64) of the largest or smallest element along `axis`; among equal ones the first or the last.
struct ArgExtreme : OpBase<ArgExtreme> {
  static constexpr std::string_view kName = "arg_extreme";
  Extreme extreme = Extreme::max;
  int64_t axis = 0;
  KeepDims keep_dims = KeepDims::yes;
  Among among_equals = Among::first;
  static constexpr auto kFields = std::tuple{field("extreme", &ArgExtreme::extreme), field("axis", &ArgExtreme::axis), field("keep_dims", &ArgExtreme::keep_dims),
      field("among_equals", &ArgExtreme::among_equals)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;       // ArgMax, ArgMin
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
