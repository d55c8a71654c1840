#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class UniqueOrder : uint8_t { first_seen, sorted };
inline constexpr std::string_view kUniqueOrderNames[] = {"first_seen", "sorted"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<UniqueOrder>{kUniqueOrderNames};
// The distinct elements of x, or slices along `axis` (kFlat: elements), sorted or by first occurrence. Outputs: they, the index of the first
// occurrence of each, the place of every element among them, how often each occurs (i64).
struct Unique : OpBase<Unique> {
  static constexpr std::string_view kName = "unique";
  static constexpr int64_t kFlat = INT64_MIN;
  int64_t axis = kFlat;
  UniqueOrder order = UniqueOrder::sorted;
  static constexpr auto kFields = std::tuple{field("axis", &Unique::axis), field("order", &Unique::order)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
