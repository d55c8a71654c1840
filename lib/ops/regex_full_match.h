#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// Whether each string matches the regular expression as a whole.
struct RegexFullMatch : OpBase<RegexFullMatch> {
  static constexpr std::string_view kName = "regex_full_match";
  std::string pattern;
  static constexpr auto kFields = std::tuple{field("pattern", &RegexFullMatch::pattern)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
