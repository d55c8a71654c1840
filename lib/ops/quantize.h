#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// y = saturate(round_half_even(x / scale) + zero_point) as a value of quantized type: it stands for real numbers, stored as `dtype`.
struct Quantize : OpBase<Quantize> {
  static constexpr std::string_view kName = "quantize";
  QuantizationPtr quant;
  DType dtype = DType::i8;
  static constexpr auto kFields = std::tuple{field("quant", &Quantize::quant), field("dtype", &Quantize::dtype)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
};

// y = (x - zero_point) * scale in f32, from the quantized type of x.
struct Dequantize : OpBase<Dequantize> {
  static constexpr std::string_view kName = "dequantize";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
};

// Raises model unless integers of `dtype` in a tensor shaped as x can be quantized so: as many scales and zero points as x asks for.
void require_quantization(const TensorType& x, DType dtype, const Quantization& q);
// A float constant stored as integers of the given quantization, and back.
Tensor quantize_tensor(const Tensor& x, DType dtype, const QuantizationPtr& quant);
Tensor dequantize_tensor(const Tensor& x);

}  // namespace onecard
