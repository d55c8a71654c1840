#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// Inverses of the square matrices in the last two axes; a singular one becomes infinities or NaN. com.microsoft's Inverse.
struct MatrixInverse : OpBase<MatrixInverse> {
  static constexpr std::string_view kName = "matrix_inverse";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
