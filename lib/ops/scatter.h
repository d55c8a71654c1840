#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class ScatterReduction : uint8_t { none, add, mul, max, min };
inline constexpr std::string_view kScatterReductionNames[] = {"none", "add", "mul", "max", "min"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<ScatterReduction>{kScatterReductionNames};
// The reduction an ONNX node names; raises model.
ScatterReduction scatter_reduction(const OnnxNode& node);
// to[at + i] = to[at + i] (reduction) from[start + i] for i < count; raises model when the type has no such arithmetic.
void scatter_run(const Tensor& from, int64_t start, Tensor& to, int64_t at, int64_t count, ScatterReduction reduction);

}  // namespace onecard
