// Layers of com.microsoft whose activations are quantized while they run, as the standard integer operators and their scales.
#include <algorithm>

#include "lib/ops/binary.h"
#include "lib/ops/dynamic_quantize_linear.h"
#include "lib/ops/linear_codes.h"
#include "lib/ops/matmul_integer.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

constexpr std::string_view kDomain = "com.microsoft";
constexpr OnnxName kNames[] = {{kDomain, "DynamicQuantizeMatMul", 1}, {kDomain, "MatMulIntegerToFloat", 1}, {kDomain, "DynamicQuantizeLSTM", 1}};

// The product of integer codes in real numbers.
struct IntegerProductOf {
  Value *a, *b, *a_scale, *b_scale, *a_zero, *b_zero, *bias;
};
Value* real_product(const OnnxNode& node, const IntegerProductOf& p) {
  Value* sums = node.add_op(MatMulInteger(), {p.a, p.b, p.a_zero, p.b_zero});
  Cast real;
  real.to = DType::f32;
  Value* scale = node.add_op(Binary(BinaryFn::mul), {p.a_scale, p.b_scale});
  Value* y = node.add_op(Binary(BinaryFn::mul), {node.add_op(real, {sums}), scale});
  return p.bias ? node.add_op(Binary(BinaryFn::add), {y, p.bias}) : y;
}

std::vector<Value*> dynamic_matmul(const OnnxNode& node) {
  const auto a = node.add_all(DynamicQuantizeLinear(), {node.needed(0)});
  return {real_product(node, {a[0], node.needed(1), a[1], node.needed(2), a[2], node.input(3), node.input(4)})};
}

std::vector<Value*> integer_matmul(const OnnxNode& node) {
  return {real_product(node, {node.needed(0), node.needed(1), node.needed(2), node.needed(3), node.input(4), node.input(5), node.input(6)})};
}

// [directions, inputs, 4 hidden] codes with a scale for each direction, or each direction and column, as the standard operator's real weight.
Value* lstm_weight(const OnnxNode& node, Value* codes, Value* scale, Value* zero) {
  Cast wide;
  wide.to = DType::f32;
  const auto beside = [&](Value* v) {
    const Shape& s = v->type.shape;
    require(s.has_rank() && s.rank() >= 1 && s.rank() <= 2, ErrorKind::model, "scale or zero point of ", v->type);
    Value* list = node.constant(Tensor::of<int64_t>({s.rank() == 1 ? 2 : 1}, s.rank() == 1 ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{1}));
    return node.add_op(Unsqueeze(), {v, list});
  };
  Value* w = node.add_op(wide, {codes});
  if (zero) w = node.add_op(Binary(BinaryFn::sub), {w, beside(node.add_op(wide, {zero}))});
  Transpose back;
  back.perm = {0, 2, 1};
  return node.add_op(back, {node.add_op(Binary(BinaryFn::mul), {w, beside(scale)})});
}

// The products of the activations stay in f32 here.
std::vector<Value*> dynamic_lstm(const OnnxNode& node) {
  const OnnxImporter* lstm = find_importer("", "LSTM");
  if (!lstm) fail(ErrorKind::model, "needs LSTM, which is not supported");
  OnnxNode real = node;
  real.op_type = "LSTM";
  real.domain = "";
  real.opset = 14;
  real.inputs.resize(std::min<size_t>(node.inputs.size(), 8));
  real.inputs[1] = lstm_weight(node, node.needed(1), node.needed(8), node.input(9));
  real.inputs[2] = lstm_weight(node, node.needed(2), node.needed(10), node.input(11));
  return lstm->from_onnx(real);
}

struct DynamicLayers {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node) {
    if (node.op_type == "DynamicQuantizeLSTM") return dynamic_lstm(node);
    return node.op_type == "DynamicQuantizeMatMul" ? dynamic_matmul(node) : integer_matmul(node);
  }
};
const std::span<const OnnxName> DynamicLayers::kOnnx{kNames};

}  // namespace

DEFINE_OP(DynamicLayers)

}  // namespace onecard
