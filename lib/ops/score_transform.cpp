#include "lib/ops/score_transform.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"
#include "lib/ops/operands.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/softmax.h"
#include "lib/ops/unary.h"

namespace onecard {

namespace {

constexpr double kWinitzki = 0.147;  // the constant of the approximation
constexpr double kZero = 1e-7;       // smaller scores are none for softmax_zero
constexpr std::string_view kOnnxNames[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};

void softmax_zero(std::span<double> scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) {
    const bool counts = std::abs(s) > kZero;
    s = counts ? std::exp(s - most) : s * std::exp(-most);
    if (counts) sum += s;
  }
  for (double& s : scores) s /= sum;
}

void softmax(std::span<double> scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& s : scores) sum += s = std::exp(s - most);
  for (double& s : scores) s /= sum;
}

}  // namespace

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

double probit(double x) {
  const double t = 2 * x - 1, log = std::log((1 - t) * (1 + t)), a = 2 / (std::numbers::pi * kWinitzki) + 0.5 * log;
  const double root = std::sqrt(std::sqrt(a * a - log / kWinitzki) - a);
  return std::numbers::sqrt2 * (t < 0 ? -root : root);
}

void transform_scores(ScoreTransform transform, std::span<double> scores) {
  if (transform == ScoreTransform::probit) {
    for (double& s : scores) s = probit(s);
    return;
  }
  if (scores.size() < 2) return;
  if (transform == ScoreTransform::softmax) softmax(scores);
  if (transform == ScoreTransform::softmax_zero) softmax_zero(scores);
  if (transform == ScoreTransform::logistic)
    for (double& s : scores) s = logistic(s);
}

std::pair<double, double> two_scores(ScoreTransform transform, OneScore kind, double score) {
  if (transform == ScoreTransform::logistic) return {logistic(-score), logistic(score)};
  const std::pair<double, double> both{kind == OneScore::share ? 1 - score : -score, score};
  return transform == ScoreTransform::probit ? std::pair{probit(both.first), probit(both.second)} : both;
}

ScoreTransform score_transform_of(const OnnxNode& node) {
  if (const auto found = node.attributes.find("post_transform"); found != node.attributes.end() && std::holds_alternative<int64_t>(found->second)) {
    const int64_t number = std::get<int64_t>(found->second);
    require(number >= 0 && number < std::ssize(kOnnxNames), ErrorKind::model, "attribute 'post_transform' is ", number);
    return static_cast<ScoreTransform>(number);
  }
  return onnx_enum<ScoreTransform>(node, "post_transform", "NONE",
                                   {{"NONE", ScoreTransform::none},
                                    {"SOFTMAX", ScoreTransform::softmax},
                                    {"LOGISTIC", ScoreTransform::logistic},
                                    {"SOFTMAX_ZERO", ScoreTransform::softmax_zero},
                                    {"PROBIT", ScoreTransform::probit}});
}

std::string onnx_name(ScoreTransform transform) { return std::string(kOnnxNames[static_cast<size_t>(transform)]); }

namespace {

// Elementwise expressions over values of f32.
struct Expression {
  const OnnxNode& node;
  Value* number(double v) const { return node.constant(scalar_tensor(DType::f32, v)); }
  Value* of(Fn fn, Value* x) const { return node.add_op(Unary(Activation{fn}), {x}); }
  Value* of(BinaryFn fn, Value* a, Value* b) const { return node.add_op(Binary(fn), {a, b}); }
  Value* of(BinaryFn fn, Value* a, double b) const { return of(fn, a, number(b)); }
  Value* of(BinaryFn fn, double a, Value* b) const { return of(fn, number(a), b); }
  Value* per_row(ReduceFn fn, Value* x) const {
    Reduce reduce;
    reduce.fn = fn;
    return node.add_op(reduce, {x, int_list(node, {-1})});
  }
};

Value* add_probit(const Expression& e, Value* x) {
  using enum BinaryFn;
  Value* t = e.of(sub, e.of(mul, x, 2.0), 1.0);
  Value* log = e.of(Fn::log, e.of(mul, e.of(sub, 1.0, t), e.of(add, t, 1.0)));
  Value* a = e.of(add, e.of(mul, log, 0.5), 2 / (std::numbers::pi * kWinitzki));
  Value* inner = e.of(Fn::sqrt, e.of(sub, e.of(mul, a, a), e.of(mul, log, 1 / kWinitzki)));
  return e.of(mul, e.of(mul, e.of(Fn::sqrt, e.of(sub, inner, a)), e.of(Fn::sign, t)), std::numbers::sqrt2);
}

Value* add_softmax_zero(const Expression& e, Value* x) {
  using enum BinaryFn;
  Value* most = e.per_row(ReduceFn::max, x);
  Value* counts = e.of(greater, e.of(Fn::abs, x), kZero);
  Value* power = e.of(Fn::exp, e.of(sub, x, most));
  Value* sum = e.per_row(ReduceFn::sum, e.node.add_op(Where(), {counts, power, e.number(0)}));
  Value* small = e.of(mul, x, e.of(Fn::exp, e.of(Fn::neg, most)));
  return e.of(div, e.node.add_op(Where(), {counts, power, small}), sum);
}

}  // namespace

Value* add_score_transform(const OnnxNode& node, Value* scores, int64_t classes, ScoreTransform transform) {
  const Expression e{node};
  if (transform == ScoreTransform::probit) return add_probit(e, scores);
  if (classes < 2) return scores;
  if (transform == ScoreTransform::softmax) return node.add_op(Softmax(), {scores});
  if (transform == ScoreTransform::logistic) return e.of(Fn::sigmoid, scores);
  return transform == ScoreTransform::softmax_zero ? add_softmax_zero(e, scores) : scores;
}

Value* add_rows(const OnnxNode& node, Value* x) {
  const TensorType& type = x->type;
  require(type.container == Container::tensor && is_numeric(type.dtype), ErrorKind::model, "takes numbers, not ", type);
  require(!type.shape.has_rank() || type.shape.rank() == 1 || type.shape.rank() == 2, ErrorKind::model, "takes [F] or [N,F], not ", type.shape);
  if (type.dtype != DType::f32) {
    Cast cast;
    cast.to = DType::f32;
    x = node.add_op(cast, {x});
  }
  if (x->type.shape.has_rank() && x->type.shape.rank() == 1) x = node.add_op(Unsqueeze(), {x, int_list(node, {0})});
  return x;
}

ClassLabels class_labels_of(const OnnxNode& node, std::string_view ints_attribute) {
  ClassLabels labels;
  labels.ints = node.attr<std::vector<int64_t>>(ints_attribute, {});
  labels.strings = node.attr<std::vector<std::string>>("classlabels_strings", {});
  require(labels.ints.empty() || labels.strings.empty(), ErrorKind::model, "has class labels of both kinds");
  require(labels.count() > 0, ErrorKind::model, "has no class labels");
  return labels;
}

Value* add_labels(const OnnxNode& node, Value* index, const ClassLabels& labels) {
  const Dims dims{labels.count()};
  return node.add_op(Gather(),
                     {node.constant(labels.strings.empty() ? Tensor::of<int64_t>(dims, labels.ints) : Tensor::strings(dims, labels.strings)), index});
}

}  // namespace onecard
