#include "lib/ops/activation.h"

#include "lib/ir/text.h"
#include "lib/ops/epilogue.h"

namespace onecard {
namespace {

// How many of alpha and beta mean something to f.
int parameter_count(Fn f) {
  switch (f) {
    case Fn::leaky_relu: case Fn::elu: case Fn::celu: case Fn::thresholded_relu: case Fn::silu: return 1;
    case Fn::selu: case Fn::hard_sigmoid: case Fn::clip: case Fn::shrink: case Fn::isinf: return 2;
    default: return 0;
  }
}

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
// Keeps NaN, as numpy's minimum and maximum do.
double clip(double x, double low, double high) {
  const double y = x < low ? low : x;
  return y > high ? high : y;
}

}  // namespace

void print_value(std::ostream& out, const Activation& f) {
  print_value(out, f.fn);
  const bool beta = parameter_count(f.fn) == 2 || f.beta != 0;
  if (!beta && parameter_count(f.fn) == 0 && f.alpha == 0) return;
  out << '(';
  print_value(out, f.alpha);
  if (beta) {
    out << ',';
    print_value(out, f.beta);
  }
  out << ')';
}

void parse_value(TextReader& in, Activation& f) {
  f = {};
  parse_value(in, f.fn);
  if (!in.accept('(')) return;
  parse_value(in, f.alpha);
  if (in.accept(',')) parse_value(in, f.beta);
  in.expect(')');
}

double apply(const Activation& f, double x) {
  const double a = f.alpha, b = f.beta;
  switch (f.fn) {
    case Fn::identity: return x;
    case Fn::relu: return x < 0 ? 0 : x;
    case Fn::leaky_relu: return x < 0 ? a * x : x;
    case Fn::elu: return x < 0 ? a * std::expm1(x) : x;
    case Fn::selu: return x <= 0 ? b * (a * std::expm1(x)) : b * x;
    case Fn::celu: return x < 0 ? a * std::expm1(x / a) : x;
    case Fn::sigmoid: return sigmoid(x);
    case Fn::hard_sigmoid: return clip(a * x + b, 0, 1);
    case Fn::hard_swish: return x * clip(x / 6 + 0.5, 0, 1);
    case Fn::tanh: return std::tanh(x);
    case Fn::softplus: return softplus(x);
    case Fn::softsign: return x / (1 + std::abs(x));
    case Fn::thresholded_relu: return x > a ? x : 0;
    case Fn::mish: return x * std::tanh(softplus(x));
    case Fn::gelu: return 0.5 * x * (1 + std::erf(x * 0.70710678118654752440));
    case Fn::gelu_tanh: return 0.5 * x * (1 + std::tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case Fn::silu: return x * sigmoid(a * x);
    case Fn::clip: return clip(x, a, b);
    case Fn::shrink: return x < -a ? x + b : x > a ? x - b : 0;
    case Fn::abs: return std::abs(x);
    case Fn::neg: return -x;
    case Fn::sign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case Fn::floor: return std::floor(x);
    case Fn::ceil: return std::ceil(x);
    case Fn::round: return std::nearbyint(x);
    case Fn::exp: return std::exp(x);
    case Fn::log: return std::log(x);
    case Fn::sqrt: return std::sqrt(x);
    case Fn::reciprocal: return 1 / x;
    case Fn::erf: return std::erf(x);
    case Fn::sin: return std::sin(x);
    case Fn::cos: return std::cos(x);
    case Fn::tan: return std::tan(x);
    case Fn::asin: return std::asin(x);
    case Fn::acos: return std::acos(x);
    case Fn::atan: return std::atan(x);
    case Fn::sinh: return std::sinh(x);
    case Fn::cosh: return std::cosh(x);
    case Fn::asinh: return std::asinh(x);
    case Fn::acosh: return std::acosh(x);
    case Fn::atanh: return std::atanh(x);
    case Fn::square: return x * x;
    case Fn::logical_not: case Fn::bitwise_not: case Fn::isnan: case Fn::isinf: break;
  }
  fail(ErrorKind::internal, "not a function on real numbers: ", kFnNames[static_cast<size_t>(f.fn)]);
}

double finish(double acc, double residual, const Activation& f, AddOrder order) {
  return order == AddOrder::before_activation ? apply(f, acc + residual) : apply(f, acc) + residual;
}

}  // namespace onecard
