#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// x repeated repeats[i] times along axis i. Inputs: x, repeats (i64, one per axis).
struct Tile : OpBase<Tile> {
  static constexpr std::string_view kName = "tile";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
