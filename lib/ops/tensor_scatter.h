#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class CacheWrite : uint8_t { linear, circular };
inline constexpr std::string_view kCacheWriteNames[] = {"linear", "circular"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<CacheWrite>{kCacheWriteNames};
// A cache with `update` written along `axis` from write_indices[b] on for every b of axis 0. Inputs: cache, update, write_indices (optional i64). No ONNX form:
// ONNX has it from opset 24 on, later than kExportOpset.
struct TensorScatter : OpBase<TensorScatter> {
  static constexpr std::string_view kName = "tensor_scatter";
  int64_t axis = -2;
  CacheWrite mode = CacheWrite::linear;
  static constexpr auto kFields = std::tuple{field("axis", &TensorScatter::axis), field("mode", &TensorScatter::mode)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
