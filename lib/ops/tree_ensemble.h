#pragma once
#include "lib/ops/forest.h"
#include "lib/ops/score_transform.h"

namespace onecard {

// y[row, target] = transform(aggregate of the votes of all trees + base). Inputs: x [F] or [N, F], then the trees (ForestInput).
struct TreeEnsemble : OpBase<TreeEnsemble> {
  static constexpr std::string_view kName = "tree_ensemble";
  int64_t targets = 1;
  Aggregate aggregate = Aggregate::sum;
  ScoreTransform transform = ScoreTransform::none;
  DType result = DType::f32;
  static constexpr auto kFields = std::tuple{field("targets", &TreeEnsemble::targets), field("aggregate", &TreeEnsemble::aggregate),
                                             field("transform", &TreeEnsemble::transform), field("result", &TreeEnsemble::result)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;  // TreeEnsembleRegressor, TreeEnsemble
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// What the votes of an ensemble for two classes say: something of each class, or all of one class, as a share (no weight is negative; over 0.5
// is the second class) or as a margin (over 0 is).
enum class TreeVotes : uint8_t { each_class, one_share, one_margin };
inline constexpr std::string_view kTreeVotesNames[] = {"each_class", "one_share", "one_margin"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<TreeVotes>{kTreeVotesNames};

// The index of the best class among those voted for (i64 [N]) and the scores (f32 [N, classes]). Inputs as TreeEnsemble's.
struct TreeClassifier : OpBase<TreeClassifier> {
  static constexpr std::string_view kName = "tree_classifier";
  int64_t classes = 1;
  TreeVotes votes = TreeVotes::each_class;
  ScoreTransform transform = ScoreTransform::none;
  static constexpr auto kFields =
      std::tuple{field("classes", &TreeClassifier::classes), field("votes", &TreeClassifier::votes), field("transform", &TreeClassifier::transform)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;  // TreeEnsembleClassifier
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
