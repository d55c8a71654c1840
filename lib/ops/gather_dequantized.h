#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// y = dequantize(gather(x, indices)) for an x quantized in any way, as ONNX Gather along `axis`: of a table of integers only what is asked for
// becomes real numbers, in f32 or rounded from there to f16 or bf16. Inputs: x, indices.
struct GatherDequantized : OpBase<GatherDequantized> {
  static constexpr std::string_view kName = "gather_dequantized";
  int64_t axis = 0;
  DType dtype = DType::f32;
  static constexpr auto kFields = std::tuple{field("axis", &GatherDequantized::axis), field("dtype", &GatherDequantized::dtype)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
};

}  // namespace onecard
