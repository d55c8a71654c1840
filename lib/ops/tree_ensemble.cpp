#include "lib/ops/tree_ensemble.h"

#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"
#include "lib/ops/operands.h"
#include "lib/ops/tree_ensemble_onnx.h"

namespace onecard {

namespace {

constexpr std::string_view kDomain = "ai.onnx.ml";
constexpr std::string_view kAggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};

}  // namespace

std::vector<TensorType> TreeEnsemble::infer(const InferContext& in) const {
  require(result == DType::f32 || result == DType::f64 || result == DType::f16, ErrorKind::model, "does not give ", info(result).name);
  return {TensorType(result, Shape{check_forest_types(in, targets), targets})};
}

void TreeEnsemble::reference(Inputs in, Outputs out) const {
  const int64_t rows = in[0]->rank() == 1 ? 1 : in[0]->dims().at(0);
  Tensor& y = allocated(out[0], result, {rows, targets});
  visit_float(result, [&]<class T>(TypeTag<T>) {
    T* to = y.data<T>().data();
    evaluate_forest(in, targets, aggregate, [&](int64_t row, ForestScores& scores) {
      for (int64_t t = 0; t < targets; ++t) scores.score[static_cast<size_t>(t)] += forest_base(in, t);
      transform_scores(transform, scores.score);
      for (int64_t t = 0; t < targets; ++t) to[row * targets + t] = narrow<T>(scores.score[static_cast<size_t>(t)]);
    });
  });
}

// TreeEnsembleRegressor where it can say it, as readers know it best; else TreeEnsemble.
std::optional<OnnxForm> TreeEnsemble::to_onnx(const Node& node) const {
  const auto forest = forest_of(node);
  if (!forest) return std::nullopt;
  const DType x = node.inputs[0]->type.dtype;
  OnnxForm form{"TreeEnsembleRegressor", {{"n_targets", targets}}, std::string(kDomain)};
  if (result == DType::f32 && x != DType::f16 && add_node_ids(form, *forest, "target", node.inputs[kForestThresholds]->type.dtype)) {
    form.attributes["aggregate_function"] = std::string(kAggregates[static_cast<size_t>(aggregate)]);
    form.attributes["post_transform"] = onnx_name(transform);
    return form;
  }
  form =
      OnnxForm{"TreeEnsemble",
               {{"n_targets", targets}, {"aggregate_function", static_cast<int64_t>(aggregate)}, {"post_transform", static_cast<int64_t>(transform)}},
               std::string(kDomain)};
  if (x != result || !add_leaf_lists(form, *forest, result)) return std::nullopt;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{kDomain, "TreeEnsembleRegressor", 1}, {kDomain, "TreeEnsemble", 5}};
}
const std::span<const OnnxName> TreeEnsemble::kOnnx{kNames};

std::vector<Value*> TreeEnsemble::from_onnx(const OnnxNode& node) {
  TreeEnsemble op;
  op.targets = node.needed_attr<int64_t>("n_targets");
  op.transform = score_transform_of(node);
  if (node.op_type == "TreeEnsemble") {
    const auto number = node.attr<int64_t>("aggregate_function", 1);
    require(number >= 0 && number < std::ssize(kAggregates), ErrorKind::model, "attribute 'aggregate_function' is ", number);
    op.aggregate = static_cast<Aggregate>(number);
    op.result = node.needed(0)->type.dtype;
    const OnnxForest trees = forest_with_leaf_lists(node);
    return {node.add_op(op, forest_inputs(node, trees.forest, op.targets, trees.dtype))};
  }
  op.aggregate = onnx_enum<Aggregate>(node, "aggregate_function", "SUM",
                                      {{"AVERAGE", Aggregate::average}, {"SUM", Aggregate::sum}, {"MIN", Aggregate::min}, {"MAX", Aggregate::max}});
  const OnnxForest trees = forest_with_node_ids(node, "target");
  const auto bases = std::ssize(trees.forest.base);
  require(bases == 0 || bases == op.targets, ErrorKind::model, "has ", bases, " base values for ", op.targets, " targets");
  return {node.add_op(op, forest_inputs(node, trees.forest, op.targets, trees.dtype))};
}

DEFINE_OP(TreeEnsemble)

}  // namespace onecard
