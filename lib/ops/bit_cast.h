#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The same bits read as elements of another type of the same width.
struct BitCast : OpBase<BitCast> {
  static constexpr std::string_view kName = "bit_cast";
  DType to = DType::i32;
  static constexpr auto kFields = std::tuple{field("to", &BitCast::to)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
