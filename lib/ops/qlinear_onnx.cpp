// Operators of com.microsoft on integer codes, as dequantize, the operator on real numbers, quantize.
#include <array>

#include "lib/ops/linear_codes.h"

namespace onecard {
namespace {

constexpr std::string_view kDomain = "com.microsoft";

int64_t flag(const OnnxNode& node, std::string_view key) { return node.attr<int64_t>(key, 0); }

// Inputs: a, scale, zero, b, scale, zero, and y's scale, zero.
std::vector<Value*> add(const OnnxNode& node) {
  return quantized_output(node, import_as(node, "Add", {dequantized_input(node, 0), dequantized_input(node, 3)}), 6);
}
std::vector<Value*> multiply(const OnnxNode& node) {
  return quantized_output(node, import_as(node, "Mul", {dequantized_input(node, 0), dequantized_input(node, 3)}), 6);
}

// Inputs: x, scale, zero, and y's scale, zero.
std::vector<Value*> unary(const OnnxNode& node, std::string_view op_type, int64_t opset = 17) {
  return quantized_output(node, import_as(node, op_type, {dequantized_input(node, 0)}, opset), 3);
}
std::vector<Value*> sigmoid(const OnnxNode& node) { return unary(node, "Sigmoid"); }
std::vector<Value*> leaky_relu(const OnnxNode& node) { return unary(node, "LeakyRelu"); }
std::vector<Value*> softmax(const OnnxNode& node) {
  const auto opset = node.attr<int64_t>("opset", 13);
  require(opset >= 1 && opset <= 1000, ErrorKind::model, "opset is ", opset);
  return unary(node, "Softmax", opset);
}
std::vector<Value*> reduce_mean(const OnnxNode& node) { return unary(node, "ReduceMean", 13); }

// Inputs: y's scale, zero, then x, scale, zero of each.
std::vector<Value*> concat(const OnnxNode& node) {
  require(node.inputs.size() >= 5 && node.inputs.size() % 3 == 2, ErrorKind::model, "has ", node.inputs.size(), " inputs");
  std::vector<Value*> parts;
  for (size_t i = 2; i < node.inputs.size(); i += 3) parts.push_back(dequantized_input(node, i));
  return {quantized(node, import_as(node, "Concat", std::move(parts)), node.needed(0), node.input(1), node.needed(2)->type.dtype)};
}

// Inputs: condition, x, scale, zero, y, scale, zero, and z's scale, zero.
std::vector<Value*> where(const OnnxNode& node) {
  Value* z = import_as(node, "Where", {node.needed(0), dequantized_input(node, 1), dequantized_input(node, 4)});
  return {quantized(node, z, node.needed(7), node.input(8), node.needed(1)->type.dtype)};
}

std::vector<Value*> pool(const OnnxNode& node, std::string_view op_type) {
  const bool last = flag(node, "channels_last") != 0;
  Value* x = dequantized(node, last ? channels_first(node, node.needed(0)) : node.needed(0), node.needed(1), node.input(2));
  const auto y = quantized_output(node, import_as(node, op_type, {x}), 3);
  return last ? std::vector<Value*>{channels_last(node, y[0])} : y;
}
std::vector<Value*> average_pool(const OnnxNode& node) { return pool(node, "AveragePool"); }
std::vector<Value*> global_average_pool(const OnnxNode& node) { return pool(node, "GlobalAveragePool"); }

std::vector<Value*> nhwc_max_pool(const OnnxNode& node) {
  return {channels_last(node, import_as(node, "MaxPool", {channels_first(node, node.needed(0))}))};
}

std::vector<Value*> qlinear_conv(const OnnxNode& node) {
  std::vector<Value*> in = node.inputs;
  const bool last = flag(node, "channels_last") != 0;
  if (last) in[0] = channels_first(node, node.needed(0));
  Value* y = import_as(node, "QLinearConv", std::move(in));
  return {last ? channels_last(node, y) : y};
}

// y = alpha a b + c, c in i32 with the scale alpha * a's * b's. Inputs: a, scale, zero, b, scale, zero, c, and y's scale, zero; without
// y's scale y is real.
std::vector<Value*> gemm(const OnnxNode& node) {
  OnnxNode plain = node;
  plain.attributes.erase("beta");
  Value* c = node.input(6);
  if (c) {
    require(c->type.dtype == DType::i32, ErrorKind::model, "c is ", c->type, "; it must be i32");
    Value* scale = import_as(node, "Mul", {node.needed(1), node.needed(4)});
    if (const float alpha = node.attr("alpha", 1.0f); alpha != 1) scale = import_as(node, "Mul", {scale, node.constant(Tensor::scalar(alpha))});
    c = dequantized(node, c, scale, nullptr, 0);
  }
  const int64_t columns = flag(node, "transB") != 0 ? 0 : 1;
  Value* y = import_as(plain, "Gemm", {dequantized_input(node, 0), dequantized_input(node, 3, columns), c});
  return node.input(7) ? quantized_output(node, y, 7) : std::vector<Value*>{y};
}

// Attention and embedding take their integer operands as real numbers.
std::vector<Value*> attention(const OnnxNode& node) {
  Value* x = dequantized(node, node.needed(0), node.needed(3), node.input(6));
  Value* w = dequantized(node, node.needed(1), node.needed(4), node.input(7));
  require(!node.wants(1), ErrorKind::model, "QAttention with a present output is not supported");
  return {import_as(node, "Attention", {x, w, node.input(2), node.input(5), node.input(8)}, 1, kDomain)};
}

struct Form {
  std::string_view op_type;
  std::vector<Value*> (*from_onnx)(const OnnxNode&);
};
constexpr Form kForms[] = {{"QLinearAdd", add},
                           {"QLinearMul", multiply},
                           {"QLinearSigmoid", sigmoid},
                           {"QLinearLeakyRelu", leaky_relu},
                           {"QLinearSoftmax", softmax},
                           {"QLinearReduceMean", reduce_mean},
                           {"QLinearConcat", concat},
                           {"QLinearWhere", where},
                           {"QLinearAveragePool", average_pool},
                           {"QLinearGlobalAveragePool", global_average_pool},
                           {"NhwcMaxPool", nhwc_max_pool},
                           {"QLinearConv", qlinear_conv},
                           {"QGemm", gemm},
                           {"QAttention", attention}};
constexpr auto kNames = [] {
  std::array<OnnxName, std::size(kForms)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = {kDomain, kForms[i].op_type, 1};
  return names;
}();

struct QLinear {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node) {
    for (const Form& form : kForms)
      if (form.op_type == node.op_type) return form.from_onnx(node);
    fail(ErrorKind::internal, "no form of ", node.op_type);
  }
};
const std::span<const OnnxName> QLinear::kOnnx{kNames};

}  // namespace

DEFINE_OP(QLinear)

}  // namespace onecard
