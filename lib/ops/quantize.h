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

// y = (x - zero_point) * scale from the quantized type of x, in f32 or rounded from there to f16 or bf16.
struct Dequantize : OpBase<Dequantize> {
  static constexpr std::string_view kName = "dequantize";
  DType dtype = DType::f32;
  static constexpr auto kFields = std::tuple{field("dtype", &Dequantize::dtype)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
};

// The extents of the scales of a tensor of these extents: none for a single scale.
Dims scale_dims(const Dims& dims, const Quantization& q);
// Raises model unless integers of `dtype` in a tensor shaped as x can be quantized so: as many scales and zero points as x asks for.
void require_quantization(const TensorType& x, DType dtype, const Quantization& q);
// A float constant stored as integers of the given quantization, and back.
Tensor quantize_tensor(const Tensor& x, DType dtype, const QuantizationPtr& quant);
// The same of bytes, put where they are wanted: `to` has x's elements.
void quantize_bytes(const Tensor& x, DType dtype, const Quantization& quant, std::span<std::byte> to);
Tensor dequantize_tensor(const Tensor& x);
// The same for elements [begin, begin + to.size()) alone.
void dequantize_range(const Tensor& x, int64_t begin, std::span<float> to);

}  // namespace onecard
