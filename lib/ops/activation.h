#pragma once
#include <array>
#include <cmath>
#include <ostream>

#include "lib/ir/op.h"

namespace onecard {

// Elementwise functions of one number. Formulas are ONNX's for the operator of that name; alpha and beta are its parameters:
// leaky_relu alpha; elu alpha; selu alpha, beta = gamma; celu alpha; hard_sigmoid max(0, min(1, alpha x + beta));
// thresholded_relu alpha; clip to [alpha, beta]; gelu_tanh the tanh approximation; silu x sigmoid(alpha x), alpha 1; shrink
// alpha = lambd, beta = bias; isinf alpha = detect negative, beta = detect positive (0 or 1).
enum class Fn : uint8_t {
  identity, relu, leaky_relu, elu, selu, celu, sigmoid, hard_sigmoid, hard_swish, tanh, softplus, softsign, thresholded_relu, mish, gelu,
  gelu_tanh, silu, clip, shrink, abs, neg, sign, floor, ceil, round, exp, log, sqrt, reciprocal, erf, sin, cos, tan, asin, acos, atan, sinh,
  cosh, asinh, acosh, atanh, logical_not, bitwise_not, isnan, isinf, square,
};
inline constexpr std::string_view kFnNames[] = {
    "identity", "relu", "leaky_relu", "elu", "selu", "celu", "sigmoid", "hard_sigmoid", "hard_swish", "tanh", "softplus", "softsign", "thresholded_relu", "mish", "gelu",
    "gelu_tanh", "silu", "clip", "shrink", "abs", "neg", "sign", "floor", "ceil", "round", "exp", "log", "sqrt", "reciprocal", "erf", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "asinh", "acosh", "atanh", "logical_not", "bitwise_not", "isnan", "isinf", "square"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Fn>{kFnNames};

// A function with its parameters; fused into convolutions and matrix products as their activation.
struct Activation {
  Fn fn = Fn::identity;
  float alpha = 0, beta = 0;                          // 0 where the function has no such parameter
  bool is_identity() const { return fn == Fn::identity; }
  bool operator==(const Activation& o) const { return fn == o.fn && same_value(alpha, o.alpha) && same_value(beta, o.beta); }
};
void print_value(std::ostream&, const Activation&);   // "relu", "clip(0,6)"
void parse_value(TextReader&, Activation&);

// f(x) in double; for the functions on real numbers only (not isnan, isinf, logical_not, bitwise_not).
double apply(const Activation& f, double x);

}  // namespace onecard
