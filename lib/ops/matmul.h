#pragma once
#include "lib/ops/dynamic_codes.h"
#include "lib/ops/epilogue.h"
#include "lib/ops/registry.h"

namespace onecard {

enum class Transpose2 : uint8_t { no, yes };
inline constexpr std::string_view kTranspose2Names[] = {"no", "yes"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Transpose2>{kTranspose2Names};

// y = epilogue(alpha * op(a) @ op(b) + bias, residual); ONNX MatMul's shapes (numpy.matmul: 1-D operands, broadcast batch), with the last two
// axes of a or b swapped on request. ONNX Gemm becomes this. Inputs: a, b, bias (optional, broadcastable to y), residual (optional, y's shape).
// a and b may be quantized as in Conv: exact int32 sums times the scales (b per tensor or per column: its axis is the column axis).
// `dynamic`, tensor or row: a is f32 and quantized while running, b is quantized as above; both have rank 2 or more, a is not transposed.
struct MatMul : OpBase<MatMul> {
  static constexpr std::string_view kName = "matmul";
  Transpose2 transpose_a = Transpose2::no, transpose_b = Transpose2::no;
  float alpha = 1;
  Activation activation;
  AddOrder add_order = AddOrder::before_activation;
  QuantizationPtr output;
  DType output_dtype = DType::i8;                     // with `output`
  Dynamic dynamic = Dynamic::no;
  static constexpr auto kFields = std::tuple{field("transpose_a", &MatMul::transpose_a), field("transpose_b", &MatMul::transpose_b), field("alpha", &MatMul::alpha),
      field("activation", &MatMul::activation), field("add_order", &MatMul::add_order), field("output", &MatMul::output), field("output_dtype", &MatMul::output_dtype),
      field("dynamic", &MatMul::dynamic)};

  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;       // MatMul, Gemm
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
