#include <algorithm>
#include <limits>

#include "lib/ops/binary.h"
#include "lib/ops/operands.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace {

// An ONNX operator that is one function of one input, with the attributes that become alpha and beta and their defaults.
struct UnaryForm {
  std::string_view op_type;
  Fn fn;
  std::string_view alpha_name = {}, beta_name = {};
  float alpha = 0, beta = 0;
};
constexpr UnaryForm kForms[] = {
    {"Relu", Fn::relu},
    {"LeakyRelu", Fn::leaky_relu, "alpha", "", 0.01f},
    {"Elu", Fn::elu, "alpha", "", 1},
    {"Selu", Fn::selu, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {"Celu", Fn::celu, "alpha", "", 1},
    {"Sigmoid", Fn::sigmoid},
    {"HardSigmoid", Fn::hard_sigmoid, "alpha", "beta", 0.2f, 0.5f},
    {"HardSwish", Fn::hard_swish},
    {"Tanh", Fn::tanh},
    {"Softplus", Fn::softplus},
    {"Softsign", Fn::softsign},
    {"ThresholdedRelu", Fn::thresholded_relu, "alpha", "", 1},
    {"Mish", Fn::mish},
    {"Swish", Fn::silu, "alpha", "", 1},
    {"Shrink", Fn::shrink, "lambd", "bias", 0.5f, 0},
    {"Abs", Fn::abs},
    {"Neg", Fn::neg},
    {"Sign", Fn::sign},
    {"Floor", Fn::floor},
    {"Ceil", Fn::ceil},
    {"Round", Fn::round},
    {"Exp", Fn::exp},
    {"Log", Fn::log},
    {"Sqrt", Fn::sqrt},
    {"Reciprocal", Fn::reciprocal},
    {"Erf", Fn::erf},
    {"Sin", Fn::sin},
    {"Cos", Fn::cos},
    {"Tan", Fn::tan},
    {"Asin", Fn::asin},
    {"Acos", Fn::acos},
    {"Atan", Fn::atan},
    {"Sinh", Fn::sinh},
    {"Cosh", Fn::cosh},
    {"Asinh", Fn::asinh},
    {"Acosh", Fn::acosh},
    {"Atanh", Fn::atanh},
    {"Not", Fn::logical_not},
    {"BitwiseNot", Fn::bitwise_not},
    {"IsNaN", Fn::isnan},
};
constexpr size_t kFormCount = std::size(kForms);

// Operators with forms of their own, beside those of the table.
Value* import_identity(const OnnxNode& node) { return node.needed(0); }
Value* import_gelu(const OnnxNode& node) {
  const auto approximate = node.attr<std::string>("approximate", "none");
  require(approximate == "none" || approximate == "tanh", ErrorKind::model, "approximate='", approximate, "' is not known");
  return node.add_op(Unary({approximate == "tanh" ? Fn::gelu_tanh : Fn::gelu}), {node.needed(0)});
}
Value* import_isinf(const OnnxNode& node) {
  const auto detects = [&](std::string_view key) { return node.attr<int64_t>(key, 1) != 0 ? 1.0f : 0.0f; };
  return node.add_op(Unary({Fn::isinf, detects("detect_negative"), detects("detect_positive")}), {node.needed(0)});
}

// com.microsoft's FastGelu and BiasGelu: gelu of x with a bias added before, optional in the first.
Value* with_bias(const OnnxNode& node) {
  return node.input(1) ? node.add_op(Binary(BinaryFn::add), {node.needed(0), node.input(1)}) : node.needed(0);
}
Value* import_fast_gelu(const OnnxNode& node) { return node.add_op(Unary({Fn::gelu_tanh}), {with_bias(node)}); }
Value* import_bias_gelu(const OnnxNode& node) { return node.add_op(Unary({Fn::gelu}), {with_bias(node)}); }
Value* import_quick_gelu(const OnnxNode& node) { return node.add_op(Unary({Fn::silu, node.attr("alpha", 1.702f)}), {node.needed(0)}); }

// A bound of Clip that is known now and exact in float.
std::optional<float> constant_bound(const Value* v, float absent) {
  if (!v) return absent;
  if (!v->constant || v->constant->elements() != 1) return std::nullopt;
  const double bound = materialize(v->constant)->at(0);
  if (static_cast<double>(static_cast<float>(bound)) != bound) return std::nullopt;
  return static_cast<float>(bound);
}

Value* import_clip(const OnnxNode& node) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Value* x = node.needed(0);
  if (node.opset < 11) return node.add_op(Unary({Fn::clip, node.attr("min", -kInfinity), node.attr("max", kInfinity)}), {x});
  Value *low = node.input(1), *high = node.input(2);
  const auto a = constant_bound(low, -kInfinity), b = constant_bound(high, kInfinity);
  if (!low && !high) return x;
  if (is_arithmetic_float(x->type.dtype) && a && b) return node.add_op(Unary({Fn::clip, *a, *b}), {x});
  if (low) x = node.add_op(Binary(BinaryFn::max), {x, low});
  if (high) x = node.add_op(Binary(BinaryFn::min), {x, high});
  return x;
}

struct SpecialForm {
  OnnxName onnx;
  Value* (*import)(const OnnxNode&);
};
constexpr SpecialForm kSpecial[] = {
    {{"", "Identity", 1}, import_identity},
    {{"", "Gelu", 1}, import_gelu},
    {{"", "IsInf", 1}, import_isinf},
    {{"", "Clip", 1}, import_clip},
    {{"com.microsoft", "Gelu", 1}, import_gelu},
    {{"com.microsoft", "FastGelu", 1}, import_fast_gelu},
    {{"com.microsoft", "BiasGelu", 1}, import_bias_gelu},
    {{"com.microsoft", "QuickGelu", 1}, import_quick_gelu},
};

constexpr auto kNames = [] {
  std::array<OnnxName, kFormCount + std::size(kSpecial)> names{};
  for (size_t i = 0; i < kFormCount; ++i) names[i] = {"", kForms[i].op_type, 1};
  for (size_t i = 0; i < std::size(kSpecial); ++i) names[kFormCount + i] = kSpecial[i].onnx;
  return names;
}();

const UnaryForm* form_of(Fn fn) {
  const auto it = std::find_if(std::begin(kForms), std::end(kForms), [&](const UnaryForm& f) { return f.fn == fn; });
  return it == std::end(kForms) ? nullptr : it;
}

}  // namespace

const std::span<const OnnxName> Unary::kOnnx{kNames};

std::vector<Value*> Unary::from_onnx(const OnnxNode& node) {
  for (const SpecialForm& s : kSpecial)
    if (s.onnx.op_type == node.op_type) return {s.import(node)};
  const auto form = std::find_if(std::begin(kForms), std::end(kForms), [&](const UnaryForm& f) { return f.op_type == node.op_type; });
  require(form != std::end(kForms), ErrorKind::internal, "no unary form of ", node.op_type);
  Activation f{form->fn, form->alpha, form->beta};
  if (!form->alpha_name.empty()) f.alpha = node.attr(form->alpha_name, f.alpha);
  if (!form->beta_name.empty()) f.beta = node.attr(form->beta_name, f.beta);
  return {node.add_op(Unary(f), {node.needed(0)})};
}

std::optional<OnnxForm> Unary::to_onnx(const Node& node) const {
  if (f.fn == Fn::identity) return OnnxForm{"Identity", {}, {}};
  if (node.input(0)->type.quant) return std::nullopt;
  switch (f.fn) {
    case Fn::gelu: return OnnxForm{"Gelu", {{"approximate", std::string("none")}}, {}};
    case Fn::gelu_tanh: return OnnxForm{"Gelu", {{"approximate", std::string("tanh")}}, {}};
    case Fn::isinf: return OnnxForm{"IsInf", {{"detect_negative", int64_t{f.alpha != 0}}, {"detect_positive", int64_t{f.beta != 0}}}, {}};
    case Fn::silu: case Fn::clip: case Fn::square: return std::nullopt;  // taken apart by decompose
    default: break;
  }
  const UnaryForm* form = form_of(f.fn);
  if (!form) return std::nullopt;
  OnnxForm onnx{std::string(form->op_type), {}, {}};
  if (!form->alpha_name.empty()) onnx.attributes[std::string(form->alpha_name)] = f.alpha;
  if (!form->beta_name.empty()) onnx.attributes[std::string(form->beta_name)] = f.beta;
  return onnx;
}

}  // namespace onecard
