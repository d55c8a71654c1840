// Decision trees of ai.onnx.ml: what votes become, which branch is taken, and what hostile trees are refused.
#include "lib/ops/tree_ensemble.h"

#include <cmath>

#include "tests/ops/ml_case.h"

namespace onecard {
namespace {

const float kNaN = std::nanf("");

// Tree 0: x <= 0.5 ? node 1 : node 2.
MlCase stump(const std::string& op, const Floats& x) {
  MlCase c(op, column(x), op == "TreeEnsembleClassifier" ? 2 : 1);
  c.set("nodes_treeids", Ints{0, 0, 0}).set("nodes_nodeids", Ints{0, 1, 2}).set("nodes_featureids", Ints{0, 0, 0});
  c.set("nodes_modes", Strings{"BRANCH_LEQ", "LEAF", "LEAF"}).set("nodes_values", Floats{0.5f, 0, 0});
  c.set("nodes_truenodeids", Ints{1, 0, 0}).set("nodes_falsenodeids", Ints{2, 0, 0});
  return c;
}
void vote(MlCase& c, const std::string& prefix, const Ints& nodes, const Ints& targets, const Floats& weights) {
  c.set(prefix + "_treeids", Ints(nodes.size(), 0)).set(prefix + "_nodeids", nodes).set(prefix + "_ids", targets).set(prefix + "_weights", weights);
}
MlCase classifier(const Ints& labels, const Ints& nodes, const Ints& classes, const Floats& weights, const std::string& transform = "NONE") {
  MlCase c = stump("TreeEnsembleClassifier", {0, 1});
  c.set("classlabels_int64s", labels).set("post_transform", transform);
  vote(c, "class", nodes, classes, weights);
  return c;
}
MlCase regressor(const Floats& x) {
  MlCase c = stump("TreeEnsembleRegressor", x);
  c.set("n_targets", int64_t{1});
  vote(c, "target", {1, 2}, {0, 0}, {10, 20});
  return c;
}

void expect_classes(MlCase c, const Ints& labels, const std::vector<double>& scores) {
  const auto out = c.run();
  EXPECT_EQ(to_ints(out[0]), labels);
  expect_near(out[1], scores);
}

TEST(TreeClassifier, TopClassOfTwoThatAreBothVotedFor) {
  expect_classes(classifier({10, 20}, {1, 1, 2, 2}, {0, 1, 0, 1}, {.7f, .3f, .4f, .6f}), {10, 20}, {.7, .3, .4, .6});
  MlCase based = classifier({10, 20}, {1, 1, 2, 2}, {0, 1, 0, 1}, {.7f, .3f, .4f, .6f});
  based.set("base_values", Floats{0, .5f});
  expect_classes(std::move(based), {20, 20}, {.7, .8, .4, 1.1});
}

TEST(TreeClassifier, OneScoreForTwoClasses) {
  expect_classes(classifier({10, 20}, {1, 2}, {0, 0}, {.3f, .6f}), {10, 20}, {.7, .3, .4, .6});
  expect_classes(classifier({10, 20}, {1, 2}, {0, 0}, {-.3f, .6f}), {10, 20}, {.3, -.3, -.6, .6});
  const double l = 1 / (1 + std::exp(.6));
  expect_classes(classifier({10, 20}, {1, 2}, {0, 0}, {.6f, .6f}, "LOGISTIC"), {20, 20}, {l, 1 - l, l, 1 - l});
  expect_classes(classifier({10, 20}, {1, 2}, {1, 1}, {-.3f, .6f}), {10, 20}, {0, -.3, 0, .6});
  MlCase based = classifier({10, 20}, {1, 2}, {0, 0}, {.3f, .6f});
  based.set("base_values", Floats{.25f});
  expect_classes(std::move(based), {20, 20}, {.45, .55, .15, .85});
}

TEST(TreeClassifier, ClassesWithoutVotesDoNotCompete) {
  expect_classes(classifier({10, 20, 30}, {1, 2}, {2, 1}, {-.7f, -.3f}), {30, 20}, {0, 0, -.7, 0, -.3, 0});
  MlCase based = classifier({10, 20, 30}, {1, 2}, {2, 1}, {-.7f, -.3f});
  based.set("base_values", Floats{.1f, .2f, .3f});
  expect_classes(std::move(based), {20, 30}, {.1, .2, -.4, .1, -.1, .3});
}

TEST(TreeClassifier, SoftmaxZeroLeavesUnvotedClassesAtZero) {
  expect_classes(classifier({10, 20, 30}, {1, 2}, {2, 1}, {-.7f, .3f}, "SOFTMAX_ZERO"), {30, 20}, {0, 0, 1, 0, 1, 0});
}

TEST(TreeClassifier, StringLabelsAndOneRowWithoutBatch) {
  MlCase c = stump("TreeEnsembleClassifier", {1});
  c.x = Tensor::of<float>({1}, {1});
  c.set("classlabels_strings", Strings{"a", "b"});
  vote(c, "class", {1, 2}, {0, 0}, {.3f, .6f});
  const auto out = c.run();
  EXPECT_EQ(out[0].text(), Strings{"b"});
  EXPECT_EQ(out[1].dims(), (Dims{1, 2}));
}

TEST(TreeEnsemble, EveryComparisonAtBelowAndAboveItsThreshold) {
  const std::map<std::string, std::vector<double>> wanted{{"BRANCH_LEQ", {10, 10, 20}}, {"BRANCH_LT", {10, 20, 20}}, {"BRANCH_GTE", {20, 10, 10}},
                                                          {"BRANCH_GT", {20, 20, 10}},  {"BRANCH_EQ", {20, 10, 20}}, {"BRANCH_NEQ", {10, 20, 10}}};
  for (const auto& [mode, values] : wanted) {
    MlCase c = regressor({0, .5f, 1});
    c.set("nodes_modes", Strings{mode, "LEAF", "LEAF"});
    SCOPED_TRACE(mode);
    expect_near(c.run()[0], values);
  }
}

TEST(TreeEnsemble, NaNGoesWhereTheNodeSays) {
  expect_near(regressor({kNaN}).run()[0], {20});
  MlCase c = regressor({kNaN});
  c.set("nodes_missing_value_tracks_true", Ints{1, 0, 0});
  expect_near(c.run()[0], {10});
}

TEST(TreeEnsemble, AggregatesAndBaseValues) {
  for (const auto& [name, wanted] : std::map<std::string, double>{{"SUM", 30.5}, {"AVERAGE", 15.5}, {"MIN", 10.5}, {"MAX", 20.5}}) {
    MlCase c("TreeEnsembleRegressor", column({0}));
    c.set("n_targets", int64_t{1}).set("aggregate_function", name).set("base_values", Floats{.5f});
    c.set("nodes_treeids", Ints{3, 7})
        .set("nodes_nodeids", Ints{0, 0})
        .set("nodes_featureids", Ints{0, 0})
        .set("nodes_modes", Strings{"LEAF", "LEAF"})
        .set("nodes_values", Floats{0, 0});
    c.set("nodes_truenodeids", Ints{0, 0}).set("nodes_falsenodeids", Ints{0, 0});
    c.set("target_treeids", Ints{7, 3}).set("target_nodeids", Ints{0, 0}).set("target_ids", Ints{0, 0}).set("target_weights", Floats{20, 10});
    SCOPED_TRACE(name);
    expect_near(c.run()[0], {wanted});
  }
}

TEST(TreeEnsemble, ThresholdsOfDoublePrecision) {
  const double above = 0.5 + 1e-12;
  MlCase c = regressor({0});
  c.x = Tensor::of<double>({2, 1}, {above, std::nextafter(above, 1.0)});
  c.node.attributes.erase("nodes_values");
  c.set("nodes_values_as_tensor", constant(Tensor::of<double>({3}, {above, 0, 0})));
  expect_near(c.run()[0], {10, 20});
}

TEST(TreeEnsemble, IntegersAreCompared) {
  MlCase c = regressor({0});
  c.x = Tensor::of<int64_t>({2, 1}, {0, 1});
  expect_near(c.run()[0], {10, 20});
}

// x in {3, 1} ? leaf 0 : (x < 9 ? leaf 1 : leaf 0), which two branches share; and a tree of one leaf.
MlCase with_sets(DType dtype) {
  MlCase c("TreeEnsemble", convert(column({1, 2, 3, 9}), dtype), 1, 5);
  const auto reals = [&](const std::vector<double>& values) { return constant(convert(Tensor::of<double>({std::ssize(values)}, values), dtype)); };
  c.set("n_targets", int64_t{1}).set("tree_roots", Ints{1, 2}).set("nodes_featureids", Ints{0, 0, 0});
  c.set("nodes_modes", constant(Tensor::of<uint8_t>({3}, {1, 6, 0}))).set("nodes_splits", reals({9, 0, 0}));
  c.set("nodes_truenodeids", Ints{1, 0, 2})
      .set("nodes_trueleafs", Ints{1, 1, 1})
      .set("nodes_falsenodeids", Ints{0, 0, 2})
      .set("nodes_falseleafs", Ints{1, 0, 1});
  c.set("membership_values", reals({3, 1, std::nan("")})).set("leaf_targetids", Ints{0, 0, 0}).set("leaf_weights", reals({1, 2, 100}));
  return c;
}

TEST(TreeEnsemble, MembershipAndSharedLeaves) {
  for (const DType t : {DType::f32, DType::f64, DType::f16}) {
    const auto out = with_sets(t).run();
    EXPECT_EQ(out[0].dtype(), t);
    expect_near(out[0], {101, 102, 101, 101});
  }
}

// The node written in ONNX's form and imported again.
void expect_same_after_export(MlCase c) {
  const auto before = c.run();
  const Node* op = nullptr;
  for (const Node& n : c.graph.nodes())
    if (n.as<TreeEnsemble>() || n.as<TreeClassifier>()) op = &n;
  ASSERT_NE(op, nullptr);
  const auto form = op->op->to_onnx(*op);
  ASSERT_TRUE(form.has_value());
  MlCase again(form->op_type, c.x.clone(), c.node.outputs.size(), form->op_type == "TreeEnsemble" ? 5 : 3);
  for (const auto& [key, value] : form->attributes) again.set(key, value);
  const auto after = again.run();
  ASSERT_EQ(after.size(), before.size());
  EXPECT_TRUE(identical(after.back(), before.back()));
}

TEST(TreeEnsemble, ExportKeepsTheTrees) {
  expect_same_after_export(regressor({0, 1, kNaN}));
  expect_same_after_export(with_sets(DType::f32));
  expect_same_after_export(with_sets(DType::f16));
  expect_same_after_export(classifier({0, 1, 2}, {1, 1, 2}, {0, 1, 2}, {.5f, .25f, 1}, "SOFTMAX"));
}

TEST(TreeEnsemble, TextRoundTrip) {
  MlCase c = with_sets(DType::f64);
  const auto before = c.run();
  const Graph again = parse_graph(to_text(c.graph, ConstantText::elements));
  EXPECT_TRUE(same_structure(again, c.graph));
  EXPECT_TRUE(identical(run_reference(again, {&c.x})[0], before[0]));
}

TEST(TreeEnsemble, HostileTreesAreRefused) {
  const auto refused = [](const std::string& key, OnnxAttribute value) { return refusal([&] { regressor({0}).set(key, value).run(); }); };
  EXPECT_NE(refused("nodes_truenodeids", Ints{0, 0, 0}).find("cycle"), std::string::npos);
  EXPECT_NE(refused("nodes_truenodeids", Ints{5, 0, 0}).find("no node 5"), std::string::npos);
  EXPECT_NE(refused("nodes_nodeids", Ints{0, 1, 1}).find("twice"), std::string::npos);
  EXPECT_NE(refused("nodes_featureids", Ints{1, 0, 0}).find("feature 1 of 1"), std::string::npos);
  EXPECT_NE(refused("nodes_featureids", Ints{-1, 0, 0}).find("feature -1"), std::string::npos);
  EXPECT_NE(refused("nodes_values", Floats{0, 0}).find("2 entries for 3"), std::string::npos);
  EXPECT_NE(refused("target_ids", Ints{0, 1}).find("target 1 of 1"), std::string::npos);
  EXPECT_NE(refused("target_nodeids", Ints{1, 9}).find("no node 9"), std::string::npos);
  EXPECT_NE(refused("n_targets", int64_t{1} << 60).find("targets"), std::string::npos);
  EXPECT_NE(refused("nodes_modes", Strings{"BRANCH", "LEAF", "LEAF"}).find("no way to compare"), std::string::npos);
  EXPECT_NE(refused("base_values", Floats{1, 2}).find("base values"), std::string::npos);
}

// Arrays of a bundle, which nothing checked before: nodes, roots, leaves, targets.
std::string walk_refusal(const std::vector<int32_t>& nodes, const std::vector<int32_t>& roots, const std::vector<int32_t>& leaves,
                         const std::vector<int32_t>& targets) {
  const Tensor x = column({0}), n = Tensor::of<int32_t>({std::ssize(nodes) / 4, 4}, nodes), t(DType::f32, Dims{std::ssize(nodes) / 4}),
               r = Tensor::of<int32_t>({std::ssize(roots)}, roots), l = Tensor::of<int32_t>({std::ssize(leaves)}, leaves),
               g = Tensor::of<int32_t>({std::ssize(targets)}, targets), w(DType::f32, Dims{std::ssize(targets)});
  return refusal([&] { evaluate(TreeEnsemble(), {&x, &n, &t, &r, &l, &g, &w}); });
}
TEST(TreeEnsemble, WalksStayInTheArrays) {
  EXPECT_EQ(walk_refusal({0, 0, ~0, ~0}, {0}, {0, 1}, {0}), "");
  for (const auto& node : std::vector<std::vector<int32_t>>{
           {0, 0, 0, 0}, {0, 0, 1, 1}, {0, 0, ~1, ~1}, {1, 0, ~0, ~0}, {-1, 0, ~0, ~0}, {0, 6, ~0, ~0}, {0, 7, ~0, ~0}, {0, 0, INT32_MIN, INT32_MIN}})
    EXPECT_NE(walk_refusal(node, {0}, {0, 1}, {0}), "") << node[2];
  EXPECT_NE(walk_refusal({0, 0, ~0, ~0}, {7}, {0, 1}, {0}), "");
  EXPECT_NE(walk_refusal({0, 0, ~0, ~0}, {0}, {0, 2}, {0}), "");
  EXPECT_NE(walk_refusal({0, 0, ~0, ~0}, {0}, {1, 0}, {0}), "");
  EXPECT_NE(walk_refusal({0, 0, ~0, ~0}, {0}, {-1, 1}, {0}), "");
  EXPECT_NE(walk_refusal({0, 0, ~0, ~0}, {0}, {0, 1}, {1}), "");
}

TEST(TreeEnsemble, RowsWithoutFeaturesHaveTheirLeaf) {
  const Tensor x(DType::i64, Dims{2, 0}), nodes(DType::i32, Dims{0, 4}), thresholds(DType::f32, Dims{0}), roots = Tensor::of<int32_t>({1}, {~0}),
      leaves = Tensor::of<int32_t>({2}, {0, 1}), targets = Tensor::of<int32_t>({1}, {0}), weights = Tensor::of<float>({1}, {3});
  expect_near(evaluate(TreeEnsemble(), {&x, &nodes, &thresholds, &roots, &leaves, &targets, &weights})[0], {3, 3});
}

TEST(TreeEnsemble, UnknownTestsAreNotExported) {
  Graph graph;
  const auto add = [&](const char* name, Tensor t) { return graph.add_constant(name, constant(std::move(t))); };
  const std::vector<Value*> in{graph.add_input("x", TensorType(DType::f32, Shape{1, 1})),
                               add("nodes", Tensor::of<int32_t>({1, 4}, {0, 7, ~0, ~0})),
                               add("thresholds", Tensor::of<float>({1}, {0})),
                               add("roots", Tensor::of<int32_t>({1}, {0})),
                               add("leaves", Tensor::of<int32_t>({2}, {0, 1})),
                               add("targets", Tensor::of<int32_t>({1}, {0})),
                               add("weights", Tensor::of<float>({1}, {1}))};
  const Node& node = graph.add(std::make_shared<const TreeEnsemble>(), in, "y");
  EXPECT_NE(refusal([&] { (void)TreeEnsemble().to_onnx(node); }), "");
}

}  // namespace
}  // namespace onecard
