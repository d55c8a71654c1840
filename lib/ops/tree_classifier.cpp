#include <algorithm>
#include <set>

#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/tree_ensemble.h"
#include "lib/ops/tree_ensemble_onnx.h"

namespace onecard {

namespace {

// Among the classes voted for the first of the best; unvoted ones do not compete, as in ONNX Runtime. With base values every class has one.
size_t best_class(const ForestScores& s, bool all) {
  size_t best = 0;
  bool found = false;
  for (size_t c = 0; c < s.score.size(); ++c) {
    if (!all && !s.voted[c]) continue;
    if (!found || s.score[c] > s.score[best]) best = c;
    found = true;
  }
  return best;
}

// Index and scores of a row whose votes are all for one of two classes. ONNX Runtime shows the score of class 0 as two complementary ones.
int64_t from_one_class(TreeVotes votes, ScoreTransform transform, ForestScores& s) {
  const size_t voted = s.voted[1] ? 1 : 0;
  const bool share = votes == TreeVotes::one_share;
  const double score = s.score[voted];
  if (voted == 1) transform_scores(transform, s.score);
  else std::tie(s.score[0], s.score[1]) = two_scores(transform, share ? OneScore::share : OneScore::margin, score);
  return score > (share ? 0.5 : 0.0);
}

}  // namespace

std::vector<TensorType> TreeClassifier::infer(const InferContext& in) const {
  const Dim rows = check_forest_types(in, classes);
  require(votes == TreeVotes::each_class || classes == 2, ErrorKind::model, "votes for one class of ", classes);
  return {TensorType(DType::i64, Shape{rows}), TensorType(DType::f32, Shape{rows, classes})};
}

void TreeClassifier::reference(Inputs in, Outputs out) const {
  const int64_t rows = in[0]->rank() == 1 ? 1 : in[0]->dims().at(0);
  int64_t* index = allocated(out[0], DType::i64, {rows}).data<int64_t>().data();
  float* z = allocated(out[1], DType::f32, {rows, classes}).data<float>().data();
  const bool has_base = in.size() > kForestBase && in[kForestBase];
  evaluate_forest(in, classes, Aggregate::sum, [&](int64_t row, ForestScores& s) {
    for (int64_t c = 0; c < classes; ++c) s.score[static_cast<size_t>(c)] += forest_base(in, c);
    if (votes != TreeVotes::each_class) {
      index[row] = from_one_class(votes, transform, s);
    } else {
      index[row] = classes == 1 ? s.score[0] > 0 : static_cast<int64_t>(best_class(s, has_base));
      transform_scores(transform, s.score);
    }
    std::transform(s.score.begin(), s.score.end(), z + row * classes, narrow<float>);
  });
}

std::optional<OnnxForm> TreeClassifier::to_onnx(const Node& node) const {
  const auto forest = forest_of(node);
  if (!forest) return std::nullopt;
  std::vector<int64_t> labels;
  for (int64_t c = 0; c < classes; ++c) labels.push_back(c);
  OnnxForm form{"TreeEnsembleClassifier", {{"classlabels_int64s", labels}, {"post_transform", onnx_name(transform)}}, "ai.onnx.ml"};
  if (!add_node_ids(form, *forest, "class", node.inputs[kForestThresholds]->type.dtype)) return std::nullopt;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"ai.onnx.ml", "TreeEnsembleClassifier", 1}};

TreeVotes votes_of(const RawForest& forest, int64_t classes) {
  std::set<int64_t> voted;
  bool negative = false;
  for (const auto& leaf : forest.leaves)
    for (const auto& vote : leaf) {
      voted.insert(vote.target);
      negative = negative || vote.weight < 0;
    }
  if (classes != 2 || voted.size() != 1) return TreeVotes::each_class;
  return negative ? TreeVotes::one_margin : TreeVotes::one_share;
}
}  // namespace
const std::span<const OnnxName> TreeClassifier::kOnnx{kNames};

std::vector<Value*> TreeClassifier::from_onnx(const OnnxNode& node) {
  ClassLabels labels = class_labels_of(node, "classlabels_int64s");
  TreeClassifier op;
  op.classes = labels.count();
  op.transform = score_transform_of(node);
  const OnnxForest trees = forest_with_node_ids(node, "class");
  op.votes = votes_of(trees.forest, op.classes);
  const auto bases = std::ssize(trees.forest.base);
  // ONNX Runtime takes one base value for two classes; it is the first one's.
  require(bases == 0 || bases == op.classes || (bases == 1 && op.classes == 2), ErrorKind::model, "has ", bases, " base values for ", op.classes,
          " classes");
  const auto made = node.add_all(op, forest_inputs(node, trees.forest, op.classes, trees.dtype));
  // A single class is a yes or no, as in ONNX Runtime: 1 where the score is above 0. Its name as a string has no opposite.
  if (op.classes == 1) labels = labels.strings.empty() ? ClassLabels{{0, 1}, {}} : ClassLabels{{}, {labels.strings[0], labels.strings[0]}};
  return {add_labels(node, made[0], labels), made[1]};
}

DEFINE_OP(TreeClassifier)

}  // namespace onecard
