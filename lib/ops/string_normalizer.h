#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class LetterCase : uint8_t { none, lower, upper };
inline constexpr std::string_view kLetterCaseNames[] = {"none", "lower", "upper"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<LetterCase>{kLetterCaseNames};
enum class StopwordMatch : uint8_t { any_case, same_case };
inline constexpr std::string_view kStopwordMatchNames[] = {"any_case", "same_case"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<StopwordMatch>{kStopwordMatchNames};
// The strings of x ([c] or [1, c]) without the stopwords, in one case. All removed: one empty string.
struct StringNormalizer : OpBase<StringNormalizer> {
  static constexpr std::string_view kName = "string_normalizer";
  LetterCase change = LetterCase::none;
  StopwordMatch match = StopwordMatch::any_case;
  std::vector<std::string> stopwords;
  static constexpr auto kFields = std::tuple{field("change", &StringNormalizer::change), field("match", &StringNormalizer::match), field("stopwords", &StringNormalizer::stopwords)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
