#pragma once
#include "lib/ops/dynamic_quantize_linear.h"
#include "lib/ops/operands.h"

namespace onecard {

// Over what a layer takes the range of its real operand, to quantize it when it runs: not at all; the whole tensor; each row (along the last
// axis); each image (an index of the first axis). Codes and scales are those of ONNX DynamicQuantizeLinear of that part. The layer's sums
// are then exact over (code - zero point), and count times the scale of their part.
enum class Dynamic : uint8_t { no, tensor, row, image };
inline constexpr std::string_view kDynamicNames[] = {"no", "tensor", "row", "image"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<Dynamic>{kDynamicNames};

// Raises model unless x, of f32, and w, of 8 bits and quantized along `channel_axis` or by one scale, can be multiplied so.
void require_dynamic(const TensorType& x, const TensorType& w, int64_t channel_axis);

// Codes less their zero points, and the scale of each part of `part` elements one after the other.
struct CentredCodes {
  std::vector<int32_t> codes;
  std::vector<float> scale;
  int64_t part = 1;
  float scale_at(int64_t element) const { return scale[static_cast<size_t>(element / part)]; }
};
CentredCodes centred_codes(std::span<const float> x, int64_t part);
// Elements of one part of a tensor; 1 or more.
int64_t dynamic_part(const Dims& x, Dynamic over);

// The same as nodes of ONNX, for x of `rank`: codes u8, and for each part, in that rank, its scale (f32) and zero point (i32). For `tensor` the zero
// point is the scalar u8 that the integer operators take.
struct DynamicNodes {
  Value *codes = nullptr, *scale = nullptr, *zero = nullptr;
};
DynamicNodes add_dynamic_codes(const NodesBefore& before, Value* x, Dynamic over, int64_t rank);
// y = sums * (scale * factor), factor f32.
Value* add_rescale(const NodesBefore& before, Value* sums, Value* scale, Value* factor);

}  // namespace onecard
