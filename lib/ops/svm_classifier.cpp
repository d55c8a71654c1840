#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/base/parallel.h"
#include "lib/ops/arg_extreme.h"
#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/matmul.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/svm.h"

namespace onecard {

namespace {

using Floats = std::vector<float>;
constexpr double kLeastProbability = 1e-7;
constexpr int kRounds = 100;
constexpr double kTolerance = 0.005;  // over the number of classes
constexpr int64_t kMostClasses = 65535;

int64_t pairs_of(int64_t classes) { return classes * (classes - 1) / 2; }

// Class probabilities from those of the pairs r[i * classes + j] = P(i | i or j): Wu, Lin, Weng, "Probability estimates for multi-class
// classification by pairwise coupling" (2004), algorithm 2, with LIBSVM's tolerance.
std::vector<double> coupled(const std::vector<double>& r, size_t classes) {
  std::vector<double> q(classes * classes), qp(classes), p(classes, 1.0 / static_cast<double>(classes));
  for (size_t i = 0; i < classes; ++i)
    for (size_t j = 0; j < classes; ++j) {
      if (i == j) continue;
      q[i * classes + i] += r[j * classes + i] * r[j * classes + i];
      q[i * classes + j] = -r[j * classes + i] * r[i * classes + j];
    }
  for (int round = 0; round < kRounds; ++round) {
    double pqp = 0, worst = 0;
    for (size_t i = 0; i < classes; ++i) {
      qp[i] = 0;
      for (size_t j = 0; j < classes; ++j) qp[i] += q[i * classes + j] * p[j];
      pqp += p[i] * qp[i];
    }
    for (const double v : qp) worst = std::max(worst, std::abs(v - pqp));
    if (worst < kTolerance / static_cast<double>(classes)) break;
    for (size_t i = 0; i < classes; ++i) {
      const double step = (pqp - qp[i]) / q[i * classes + i], grown = 1 + step;
      p[i] += step;
      pqp = (pqp + step * (step * q[i * classes + i] + 2 * qp[i])) / grown / grown;
      for (size_t j = 0; j < classes; ++j) {
        qp[j] = (qp[j] + step * q[i * classes + j]) / grown;
        p[j] /= grown;
      }
    }
  }
  return p;
}

// The arrays of one classifier.
struct Machine {
  size_t classes, vectors;
  std::vector<size_t> starts;  // of each class's support vectors
  std::span<const float> coefficients, rho, prob_a, prob_b;

  // The decision of each pair, and the votes.
  void decide(std::span<const double> kernels, std::vector<double>& decisions, std::vector<int64_t>& votes) const {
    std::fill(votes.begin(), votes.end(), int64_t{0});
    size_t pair = 0;
    for (size_t i = 0; i < classes; ++i)
      for (size_t j = i + 1; j < classes; ++j, ++pair) {
        double sum = rho[pair];
        for (size_t v = starts[i]; v < starts[i + 1]; ++v) sum += static_cast<double>(coefficients[(j - 1) * vectors + v]) * kernels[v];
        for (size_t v = starts[j]; v < starts[j + 1]; ++v) sum += static_cast<double>(coefficients[i * vectors + v]) * kernels[v];
        decisions[pair] = sum;
        ++votes[sum > 0 ? i : j];
      }
  }
  std::vector<double> probabilities(const std::vector<double>& decisions) const {
    std::vector<double> r(classes * classes);
    size_t pair = 0;
    for (size_t i = 0; i < classes; ++i)
      for (size_t j = i + 1; j < classes; ++j, ++pair) {
        const double p = 1 - logistic(decisions[pair] * static_cast<double>(prob_a[pair]) + static_cast<double>(prob_b[pair]));
        r[i * classes + j] = std::clamp(p, kLeastProbability, 1 - kLeastProbability);
        r[j * classes + i] = 1 - r[i * classes + j];
      }
    return coupled(r, classes);
  }
};

int64_t score_count(int64_t classes, bool probabilities) { return probabilities || classes == 2 ? classes : pairs_of(classes); }

}  // namespace

std::vector<TensorType> SvmClassifier::infer(const InferContext& in) const {
  const Dim rows = check_svm_types(in);
  const auto classes = std::ssize(vectors_per_class);
  require(classes >= 2 && classes <= kMostClasses, ErrorKind::model, "tells ", classes, " classes apart");
  require(in.has(4) == in.has(5), ErrorKind::model, "prob_a and prob_b come together");
  return {TensorType(DType::i64, Shape{rows}), TensorType(DType::f32, Shape{rows, score_count(classes, in.has(4))})};
}

void SvmClassifier::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &vectors = *in[1];
  require(x.rank() == 2 && vectors.rank() == 2 && x.dims()[1] == vectors.dims()[1], ErrorKind::model, "the support vectors are ", vectors.type(),
          " for ", x.type());
  const auto list = [&](size_t i) { return i < in.size() && in[i] ? in[i]->data<float>() : std::span<const float>{}; };
  const bool probable = in.size() > 5 && in[4] && in[5];
  Machine m{vectors_per_class.size(), static_cast<size_t>(vectors.dims()[0]), {0}, list(2), list(3), list(4), list(5)};
  for (const int64_t n : vectors_per_class) {
    require(n >= 0 && static_cast<size_t>(n) <= m.vectors - m.starts.back(), ErrorKind::model, "the classes have more than ", m.vectors,
            " support vectors");
    m.starts.push_back(m.starts.back() + static_cast<size_t>(n));
  }
  const auto pairs = static_cast<size_t>(pairs_of(std::ssize(vectors_per_class))), features = static_cast<size_t>(x.dims()[1]);
  require(m.coefficients.size() == (m.classes - 1) * m.vectors && m.rho.size() == pairs &&
              (!probable || (m.prob_a.size() == pairs && m.prob_b.size() == pairs)),
          ErrorKind::model, "the arrays of the classifier do not fit together");
  const auto width = static_cast<size_t>(score_count(std::ssize(vectors_per_class), probable));
  const auto index = allocated(out[0], DType::i64, {x.dims()[0]}).data<int64_t>();
  const auto z = allocated(out[1], DType::f32, {x.dims()[0], static_cast<int64_t>(width)}).data<float>();
  const SvmKernel k{kernel, gamma, coef0, degree};
  parallel_for(x.dims()[0], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> kernels(m.vectors), decisions(pairs);
    std::vector<int64_t> votes(m.classes);
    for (auto row = static_cast<size_t>(begin); row < static_cast<size_t>(end); ++row) {
      k(x.data<float>().subspan(row * features, features), vectors.data<float>(), kernels);
      m.decide(kernels, decisions, votes);
      index[row] = std::max_element(votes.begin(), votes.end()) - votes.begin();
      std::vector<double> scores = probable ? m.probabilities(decisions) : decisions;
      if (scores.size() == 1) {  // ONNX Runtime: a margin, but under softmax a share
        const auto both = two_scores(transform, transform == ScoreTransform::none ? OneScore::margin : OneScore::share, scores[0]);
        scores = {both.first, both.second};
      } else {
        transform_scores(transform, scores);
      }
      std::transform(scores.begin(), scores.end(), z.begin() + static_cast<int64_t>(row * width), narrow<float>);
    }
  });
}

std::optional<OnnxForm> SvmClassifier::to_onnx(const Node& node) const {
  std::vector<int64_t> labels(vectors_per_class.size());
  std::iota(labels.begin(), labels.end(), int64_t{0});
  OnnxForm form{"SVMClassifier",
                {{"classlabels_ints", labels}, {"vectors_per_class", vectors_per_class}, {"post_transform", onnx_name(transform)}},
                "ai.onnx.ml"};
  static constexpr std::string_view kKeys[] = {"", "support_vectors", "coefficients", "rho", "prob_a", "prob_b"};
  for (size_t i = 1; i < std::size(kKeys); ++i) {
    const Value* v = node.input(i);
    if (!v) continue;
    if (!v->is_constant()) return std::nullopt;
    const ConstTensor t = materialize(v->constant);
    form.attributes[std::string(kKeys[i])] = Floats(t->data<float>().begin(), t->data<float>().end());
  }
  add_svm_kernel(form, {kernel, gamma, coef0, degree});
  return form;
}

namespace {

constexpr OnnxName kNames[] = {{"ai.onnx.ml", "SVMClassifier", 1}};

Tensor matrix(int64_t rows, const Floats& values) {
  require(rows > 0 && !values.empty() && std::ssize(values) % rows == 0, ErrorKind::model, values.size(), " numbers are no ", rows, " rows");
  return Tensor::of<float>({rows, std::ssize(values) / rows}, values);
}

// Without support vectors: one score per class, x.coefficients + rho[0]. Two classes are told apart as ONNX Runtime does: the second when the
// best score is positive (or at least 0.5, if no coefficient is negative).
std::vector<Value*> add_linear(const OnnxNode& node, const ClassLabels& labels, const Floats& coefficients, const Floats& rho) {
  const int64_t classes = labels.count();
  MatMul product;
  product.transpose_b = Transpose2::yes;
  Value* bias = node.constant(Tensor::of<float>({classes}, Floats(static_cast<size_t>(classes), rho.at(0))));
  Value* scores = node.add_op(product, {add_rows(node, node.needed(0)), node.constant(matrix(classes, coefficients)), bias});
  ArgExtreme arg;
  arg.axis = 1;
  arg.keep_dims = KeepDims::no;
  Value* index = node.add_op(arg, {scores});
  if (classes == 2) {
    const bool share = std::all_of(coefficients.begin(), coefficients.end(), [](float c) { return c >= 0; });
    Reduce reduce;
    reduce.fn = ReduceFn::max;
    reduce.keep_dims = KeepDims::no;
    Value* best = node.add_op(reduce, {scores, int_list(node, {1})});
    Value* second =
        node.add_op(Binary(share ? BinaryFn::greater_equal : BinaryFn::greater), {best, node.constant(scalar_tensor(DType::f32, share ? 0.5 : 0))});
    index = node.add_op(Where(), {second, node.constant(scalar_tensor(DType::i64, 1)), index});
  }
  return {add_labels(node, index, labels), add_score_transform(node, scores, classes, score_transform_of(node))};
}

}  // namespace
const std::span<const OnnxName> SvmClassifier::kOnnx{kNames};

std::vector<Value*> SvmClassifier::from_onnx(const OnnxNode& node) {
  const ClassLabels labels = class_labels_of(node, "classlabels_ints");
  const auto coefficients = node.needed_attr<Floats>("coefficients"), rho = node.needed_attr<Floats>("rho"), prob_a = node.attr<Floats>("prob_a", {}),
             prob_b = node.attr<Floats>("prob_b", {});
  const int64_t classes = labels.count();
  SvmClassifier op;
  op.vectors_per_class = node.attr<std::vector<int64_t>>("vectors_per_class", {});
  int64_t vectors = 0;
  for (const int64_t n : op.vectors_per_class) {
    require(n >= 0 && n <= std::ssize(coefficients), ErrorKind::model, "attribute 'vectors_per_class' has ", n);
    vectors += n;
  }
  require(!rho.empty(), ErrorKind::model, "attribute 'rho' is empty");
  if (vectors == 0) return add_linear(node, labels, coefficients, rho);
  require(classes >= 2 && classes <= kMostClasses && std::ssize(op.vectors_per_class) == classes, ErrorKind::model, "has ",
          op.vectors_per_class.size(), " counts of support vectors for ", classes, " classes");
  const int64_t pairs = pairs_of(classes);
  require(std::ssize(coefficients) == (classes - 1) * vectors && std::ssize(rho) >= pairs, ErrorKind::model, "has ", coefficients.size(),
          " coefficients and ", rho.size(), " rho for ", vectors, " support vectors of ", classes, " classes");
  require(prob_a.size() == prob_b.size() && (prob_a.empty() || std::ssize(prob_a) >= pairs), ErrorKind::model, "has ", prob_a.size(), " prob_a and ",
          prob_b.size(), " prob_b for ", pairs, " pairs of classes");
  const SvmKernel kernel = svm_kernel_of(node);
  op.kernel = kernel.fn;
  op.gamma = kernel.gamma, op.coef0 = kernel.coef0, op.degree = kernel.degree;
  op.transform = score_transform_of(node);
  const auto first = [&](const Floats& list) { return node.constant(Tensor::of<float>({pairs}, Floats(list.begin(), list.begin() + pairs))); };
  std::vector<Value*> in{add_rows(node, node.needed(0)), node.constant(matrix(vectors, node.needed_attr<Floats>("support_vectors"))),
                         node.constant(matrix(classes - 1, coefficients)), first(rho)};
  if (!prob_a.empty()) in.insert(in.end(), {first(prob_a), first(prob_b)});
  const auto made = node.add_all(op, in);
  return {add_labels(node, made[0], labels), made[1]};
}

DEFINE_OP(SvmClassifier)

}  // namespace onecard
