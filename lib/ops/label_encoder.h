#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// y = values[i] where keys[i] == x, else the default; NaN equals NaN. Inputs: x, keys [n] ascending (sort_keys), values [n], default (one element).
struct LabelEncoder : OpBase<LabelEncoder> {
  static constexpr std::string_view kName = "label_encoder";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;  // LabelEncoder, CategoryMapper
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

enum class UnknownCategory : uint8_t { zeros, refused };
inline constexpr std::string_view kUnknownCategoryNames[] = {"zeros", "refused"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<UnknownCategory>{kUnknownCategoryNames};
// A new last axis of `depth` (f32) that is 1 at columns[i] where keys[i] == x and 0 elsewhere. Inputs: x, keys [n] ascending, columns i64 [n].
struct CategoryOneHot : OpBase<CategoryOneHot> {
  static constexpr std::string_view kName = "category_one_hot";
  int64_t depth = 1;
  UnknownCategory unknown = UnknownCategory::zeros;
  static constexpr auto kFields = std::tuple{field("depth", &CategoryOneHot::depth), field("unknown", &CategoryOneHot::unknown)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;  // OneHotEncoder
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
