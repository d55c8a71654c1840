#include <algorithm>

#include "lib/ops/arg_extreme.h"
#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/matmul.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/score_transform.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/softmax.h"
#include "lib/ops/unary.h"

namespace onecard {

// transform(x coefficients' + intercepts), coefficients [targets, F]; expanded at import.
struct LinearRegressor {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
// The same per class, and the label of the best class; expanded at import.
struct LinearClassifier {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

namespace {

using Floats = std::vector<float>;
constexpr OnnxName kRegressor[] = {{"ai.onnx.ml", "LinearRegressor", 1}}, kClassifier[] = {{"ai.onnx.ml", "LinearClassifier", 1}};

// x coefficients' + intercepts; without intercepts the sums alone.
Value* add_linear_scores(const OnnxNode& node, Value* rows, int64_t outputs, const Floats& coefficients, const Floats& intercepts) {
  require(outputs >= 1 && !coefficients.empty() && std::ssize(coefficients) % outputs == 0, ErrorKind::model, coefficients.size(),
          " coefficients for ", outputs, " outputs");
  MatMul product;
  product.transpose_b = Transpose2::yes;
  std::vector<Value*> in{rows, node.constant(Tensor::of<float>({outputs, std::ssize(coefficients) / outputs}, coefficients))};
  if (!intercepts.empty()) in.push_back(node.constant(Tensor::of<float>({outputs}, intercepts)));
  return node.add_op(product, in);
}

// The scores of two classes told apart by one, as two_scores has them.
Value* add_two_scores(const OnnxNode& node, Value* score, ScoreTransform transform) {
  const bool logistic = transform == ScoreTransform::logistic;
  Value* other = logistic ? node.add_op(Unary(Activation{Fn::neg}), {score})
                          : node.add_op(Binary(BinaryFn::sub), {node.constant(scalar_tensor(DType::f32, 1)), score});
  Concat concat;
  concat.axis = 1;
  Value* both = node.add_op(concat, {other, score});
  return logistic || transform == ScoreTransform::probit ? add_score_transform(node, both, 2, transform) : both;
}

// How many scores a classifier has: one per intercept, else as many as coefficients for the features there are, else one per label.
int64_t outputs_of(const Value& rows, const ClassLabels& labels, const Floats& coefficients, const Floats& intercepts) {
  if (!intercepts.empty()) return std::ssize(intercepts);
  if (rows.type.shape.has_rank() && rows.type.shape[1].is_number() && rows.type.shape[1].number() > 0)
    return std::ssize(coefficients) / rows.type.shape[1].number();
  return labels.count();
}

}  // namespace

const std::span<const OnnxName> LinearRegressor::kOnnx{kRegressor};
const std::span<const OnnxName> LinearClassifier::kOnnx{kClassifier};

std::vector<Value*> LinearRegressor::from_onnx(const OnnxNode& node) {
  const auto targets = node.attr<int64_t>("targets", 1);
  auto intercepts = node.attr<Floats>("intercepts", {});
  require(intercepts.empty() || std::ssize(intercepts) == targets, ErrorKind::model, "has ", intercepts.size(), " intercepts for ", targets,
          " targets");
  Value* scores = add_linear_scores(node, add_rows(node, node.needed(0)), targets, node.needed_attr<Floats>("coefficients"), intercepts);
  return {add_score_transform(node, scores, targets, score_transform_of(node))};
}

std::vector<Value*> LinearClassifier::from_onnx(const OnnxNode& node) {
  const auto coefficients = node.needed_attr<Floats>("coefficients"), intercepts = node.attr<Floats>("intercepts", {});
  ClassLabels labels = class_labels_of(node, "classlabels_ints");
  const ScoreTransform transform = score_transform_of(node);
  Value* rows = add_rows(node, node.needed(0));
  const int64_t outputs = outputs_of(*rows, labels, coefficients, intercepts);
  Value* scores = add_linear_scores(node, rows, outputs, coefficients, intercepts);
  if (outputs > 1) {
    require(outputs == labels.count(), ErrorKind::model, "has ", outputs, " scores for ", labels.count(), " labels");
    ArgExtreme arg;
    arg.axis = 1;
    arg.keep_dims = KeepDims::no;
    return {add_labels(node, node.add_op(arg, {scores}), labels), add_score_transform(node, scores, outputs, transform)};
  }
  // One score: above 0 the second label. With a single label the answers are 1 and 0, as ONNX Runtime's were.
  const bool two = labels.count() == 2;
  if (!two) labels = labels.strings.empty() ? ClassLabels{{0, 1}, {}} : ClassLabels{{}, {"0", "1"}};
  Cast cast;
  cast.to = DType::i64;
  Value* above =
      node.add_op(Binary(BinaryFn::greater), {node.add_op(Squeeze(), {scores, int_list(node, {1})}), node.constant(scalar_tensor(DType::f32, 0))});
  Value* label = add_labels(node, node.add_op(cast, {above}), labels);
  return {label, two ? add_two_scores(node, scores, transform) : add_score_transform(node, scores, 1, transform)};
}

DEFINE_OP(LinearRegressor)
DEFINE_OP(LinearClassifier)

}  // namespace onecard
