#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// What the operators of ai.onnx.ml do to their scores last; in the order of that domain's numbers.
enum class ScoreTransform : uint8_t { none, softmax, logistic, softmax_zero, probit };
inline constexpr std::string_view kScoreTransformNames[] = {"none", "softmax", "logistic", "softmax_zero", "probit"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<ScoreTransform>{kScoreTransformNames};

double logistic(double x);
// sqrt(2) erfinv(2x - 1) by Winitzki's approximation of erfinv, which is what ONNX Runtime and onnx's reference compute.
double probit(double x);
// The scores of one row. A single score is changed by probit alone: ONNX Runtime's reading, softmax of one number says nothing.
void transform_scores(ScoreTransform transform, std::span<double> scores);
// One score that stands for two classes: the share s as (1 - s, s), the margin s as (-s, s), under logistic both as (logistic(-s), logistic(s)).
enum class OneScore : uint8_t { share, margin };
std::pair<double, double> two_scores(ScoreTransform transform, OneScore kind, double score);

// The attribute post_transform of a node: a text, or from TreeEnsemble on a number.
ScoreTransform score_transform_of(const OnnxNode& node);
std::string onnx_name(ScoreTransform transform);
// transform_scores on the rows [n, classes] of a value, as nodes; `classes` scores per row.
Value* add_score_transform(const OnnxNode& node, Value* scores, int64_t classes, ScoreTransform transform);

// The input as rows of f32, which is what ONNX Runtime computes in: [F] becomes [1, F].
Value* add_rows(const OnnxNode& node, Value* x);
// The labels of a classifier: `strings`, else `ints`, as attributes; none when it has neither.
struct ClassLabels {
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  int64_t count() const { return static_cast<int64_t>(strings.empty() ? ints.size() : strings.size()); }
};
ClassLabels class_labels_of(const OnnxNode& node, std::string_view ints_attribute);
// The labels at the indices (i64).
Value* add_labels(const OnnxNode& node, Value* index, const ClassLabels& labels);

}  // namespace onecard
