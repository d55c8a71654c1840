#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The parts of each string between delimiters, padded with empty strings along a new last axis, and their numbers (i64). An empty delimiter
// splits at runs of white space. `most`: as many splits, the rest of the string stays whole; -1: all.
struct StringSplit : OpBase<StringSplit> {
  static constexpr std::string_view kName = "string_split";
  std::string delimiter;
  int64_t most = -1;
  static constexpr auto kFields = std::tuple{field("delimiter", &StringSplit::delimiter), field("most", &StringSplit::most)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
