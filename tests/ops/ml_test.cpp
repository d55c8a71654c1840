// Operators of ai.onnx.ml other than trees.
#include <cmath>

#include "lib/ops/label_encoder.h"
#include "lib/ops/svm.h"
#include "tests/ops/ml_case.h"

namespace onecard {
namespace {

const float kNaN = std::nanf("");

Tensor strings(const Strings& s) { return Tensor::strings({std::ssize(s)}, s); }

TEST(ScoreTransform, OneScoreIsChangedByProbitAlone) {
  for (const auto t : {ScoreTransform::none, ScoreTransform::softmax, ScoreTransform::logistic, ScoreTransform::softmax_zero}) {
    std::vector<double> one{.3};
    transform_scores(t, one);
    EXPECT_EQ(one[0], .3);
  }
  EXPECT_NEAR(probit(.6), .2533471, 1e-4);  // the approximation errs by less than 2e-4
  EXPECT_EQ(probit(.5), 0);
  EXPECT_EQ(probit(0), -INFINITY);
}

TEST(LabelEncoder, WhichOfRepeatedKeysCounts) {
  for (const auto& [opset, wanted] : std::map<int64_t, Ints>{{2, {1, 2, -1}}, {4, {3, 2, -1}}}) {
    MlCase c("LabelEncoder", strings({"a", "b", "c"}), 1, opset);
    c.set("keys_strings", Strings{"a", "b", "a"}).set("values_int64s", Ints{1, 2, 3});
    EXPECT_EQ(to_ints(c.run()[0]), wanted) << opset;
  }
  MlCase first("LabelEncoder", strings({"a", "b", "c"}), 1, 1);
  EXPECT_EQ(to_ints(first.set("classes_strings", Strings{"a", "b", "a"}).run()[0]), (Ints{2, 1, -1}));
  MlCase back("LabelEncoder", Tensor::of<int64_t>({2}, {2, 5}), 1, 1);
  EXPECT_EQ(back.set("classes_strings", Strings{"a", "b", "d"}).run()[0].text(), (Strings{"d", "_Unused"}));
}

TEST(LabelEncoder, NaNIsAKey) {
  MlCase c("LabelEncoder", Tensor::of<float>({4}, {kNaN, -0.0f, 1, -5}), 1, 4);
  c.set("keys_floats", Floats{kNaN, 0, -5}).set("values_strings", Strings{"nan", "zero", "five"}).set("default_string", std::string("?"));
  EXPECT_EQ(c.run()[0].text(), (Strings{"nan", "zero", "?", "five"}));
}

TEST(LabelEncoder, TensorsOfKeysAndValues) {
  MlCase c("LabelEncoder", Tensor::of<int16_t>({2, 2}, {3, 1, 2, 9}), 1, 4);
  c.set("keys_tensor", constant(Tensor::of<int16_t>({3}, {1, 2, 3}))).set("values_tensor", constant(Tensor::of<double>({3}, {.1, .2, .3})));
  EXPECT_EQ(to_doubles(c.run()[0]), (std::vector<double>{.3, .1, .2, 0}));
  c.set("default_tensor", constant(Tensor::of<double>({1}, {-7})));
  EXPECT_EQ(to_doubles(c.run()[0]), (std::vector<double>{.3, .1, .2, -7}));
  EXPECT_NE(refusal([&] { c.set("values_tensor", constant(Tensor::of<double>({2}, {1, 2}))).run(); }).find("3 keys and 2 values"), std::string::npos);
}

TEST(CategoryMapper, BothWays) {
  for (const bool texts : {true, false}) {
    MlCase c("CategoryMapper", texts ? strings({"b", "z"}) : Tensor::of<int64_t>({2}, {7, 1}));
    c.set("cats_strings", Strings{"a", "b"}).set("cats_int64s", Ints{5, 7});
    const auto out = c.run();
    if (texts) EXPECT_EQ(to_ints(out[0]), (Ints{7, -1}));
    else EXPECT_EQ(out[0].text(), (Strings{"b", "_Unused"}));
  }
}

TEST(CategoryOneHot, RepeatedAndUnknownCategories) {
  MlCase c("OneHotEncoder", Tensor::of<float>({1, 3}, {1.5f, 2, 3}));
  c.set("cats_int64s", Ints{1, 2, 1});
  const auto out = c.run();
  EXPECT_EQ(out[0].dims(), (Dims{1, 3, 3}));
  expect_near(out[0], {0, 0, 1, 0, 1, 0, 0, 0, 0});
  const Node& node = c.graph.nodes().back();
  EXPECT_EQ(std::get<Ints>(node.op->to_onnx(node)->attributes.at("cats_int64s")), (Ints{2, 2, 1}));  // as before: no element sets column 0
  EXPECT_NE(refusal([&] { c.set("zeros", int64_t{0}).run(); }).find("element 2"), std::string::npos);
}

TEST(LinearClassifier, OneScoreForTwoLabels) {
  MlCase c("LinearClassifier", Tensor::of<float>({2, 2}, {1, 0, -1, 0}), 2);
  c.set("coefficients", Floats{.5f, 1}).set("intercepts", Floats{.25f}).set("classlabels_ints", Ints{10, 20});
  const auto out = c.run();
  EXPECT_EQ(to_ints(out[0]), (Ints{20, 10}));
  expect_near(out[1], {.25, .75, 1.25, -.25});
  const double up = logistic(.75), down = logistic(-.25);
  expect_near(c.set("post_transform", std::string("LOGISTIC")).run()[1], {1 - up, up, 1 - down, down});
}

TEST(LinearRegressor, TargetsOfARowWithoutBatch) {
  MlCase c("LinearRegressor", Tensor::of<int64_t>({2}, {2, 3}));
  c.set("targets", int64_t{2}).set("coefficients", Floats{1, 2, 3, 4}).set("intercepts", Floats{.5f, -1});
  expect_near(c.run()[0], {8.5, 17});
  EXPECT_NE(refusal([&] { c.set("intercepts", Floats{1}).run(); }), "");
}

TEST(SvmRegressor, EveryKernel) {
  const std::map<std::string, double> wanted{
      {"LINEAR", 2 * 5 + .5}, {"POLY", 2 * 27 + .5}, {"RBF", 2 * std::exp(-.5 * 2) + .5}, {"SIGMOID", 2 * std::tanh(3) + .5}};
  for (const auto& [kernel, value] : wanted) {
    MlCase c("SVMRegressor", Tensor::of<float>({1, 2}, {1, 2}));
    c.set("kernel_type", kernel)
        .set("kernel_params", Floats{.5f, .5f, 3})
        .set("n_supports", int64_t{1})
        .set("support_vectors", Floats{kernel == "RBF" ? 2.f : 1.f, kernel == "RBF" ? 1.f : 2.f});
    c.set("coefficients", Floats{2}).set("rho", Floats{.5f});
    SCOPED_TRACE(kernel);
    expect_near(c.run()[0], {value}, 1e-5);
    expect_near(c.set("one_class", int64_t{1}).run()[0], {1});
  }
}

// Two support vectors of the first class, one of the second; decision 0.5 x0 + 0.25 x1 - 0.75 (x0 + x1) + 0.1.
MlCase two_classes() {
  MlCase c("SVMClassifier", Tensor::of<float>({2, 2}, {1, 2, -1, -2}), 2);
  c.set("support_vectors", Floats{1, 0, 0, 1, 1, 1})
      .set("vectors_per_class", Ints{2, 1})
      .set("coefficients", Floats{.5f, .25f, -.75f})
      .set("rho", Floats{.1f});
  c.set("classlabels_strings", Strings{"yes", "no"});
  return c;
}

TEST(SvmClassifier, TwoClasses) {
  MlCase c = two_classes();
  const auto out = c.run();
  EXPECT_EQ(out[0].text(), (Strings{"no", "yes"}));
  expect_near(out[1], {1.15, -1.15, -1.35, 1.35});
}

TEST(SvmClassifier, ProbabilitiesOfTwoClassesAreThePairs) {
  MlCase c = two_classes();
  c.set("prob_a", Floats{-1}).set("prob_b", Floats{.2f});
  const double p = 1 - logistic(1.15 + .2), q = 1 - logistic(-1.35 + .2);
  expect_near(c.run()[1], {p, 1 - p, q, 1 - q}, 3e-3);  // the coupling stops within its tolerance
}

TEST(SvmClassifier, HostileArraysAreRefused) {
  EXPECT_NE(refusal([] { two_classes().set("vectors_per_class", Ints{2, 5}).run(); }), "");
  EXPECT_NE(refusal([] { two_classes().set("vectors_per_class", Ints{2, -1}).run(); }), "");
  EXPECT_NE(refusal([] { two_classes().set("coefficients", Floats{1}).run(); }), "");
  EXPECT_NE(refusal([] { two_classes().set("rho", Floats{}).run(); }), "");
  EXPECT_NE(refusal([] { two_classes().set("prob_a", Floats{1}).run(); }), "");
  EXPECT_NE(refusal([] { two_classes().set("kernel_params", Floats{1}).run(); }), "");
}

TEST(Scaler, DoublesAreScaledInDouble) {
  MlCase c("Scaler", Tensor::of<double>({1, 2}, {1e9 + 1, 3}));
  expect_near(c.set("offset", Floats{1e9f, 1}).set("scale", Floats{1, .5f}).run()[0], {1, 1});
}

TEST(Imputer, NaNAndNumbers) {
  MlCase c("Imputer", Tensor::of<float>({2, 2}, {kNaN, 1, 2, kNaN}));
  c.set("imputed_value_floats", Floats{7, 8}).set("replaced_value_float", kNaN);
  expect_near(c.run()[0], {7, 1, 2, 8});
  MlCase ints("Imputer", Tensor::of<int64_t>({2, 2}, {0, 1, 2, 0}));
  EXPECT_EQ(to_ints(ints.set("imputed_value_int64s", Ints{-5}).run()[0]), (Ints{-5, 1, 2, -5}));
}

TEST(Normalizer, SignsAndZeroRows) {
  const Tensor x = Tensor::of<float>({3, 2}, {3, -4, -1, -2, 0, 0});
  const std::map<std::string, std::vector<double>> wanted{{"MAX", {1, -4.0 / 3, 1, 2, 0, 0}},
                                                          {"L1", {3.0 / 7, -4.0 / 7, -1.0 / 3, -2.0 / 3, 0, 0}},
                                                          {"L2", {.6, -.8, -1 / std::sqrt(5), -2 / std::sqrt(5), 0, 0}}};
  for (const auto& [norm, values] : wanted) {
    MlCase c("Normalizer", x.clone());
    SCOPED_TRACE(norm);
    expect_near(c.set("norm", norm).run()[0], values);
  }
}

TEST(Binarizer, IntegersAgainstAFraction) {
  MlCase c("Binarizer", Tensor::of<int32_t>({4}, {INT32_MIN, 0, 1, 2}));
  EXPECT_EQ(to_ints(c.set("threshold", .5f).run()[0]), (Ints{0, 0, 1, 1}));
  EXPECT_EQ(to_ints(c.set("threshold", -1e20f).run()[0]), (Ints{1, 1, 1, 1}));
  EXPECT_EQ(to_ints(c.set("threshold", 1e20f).run()[0]), (Ints{0, 0, 0, 0}));
}

TEST(FeatureVectorizer, CutsAndFills) {
  MlCase c("FeatureVectorizer", Tensor::of<int64_t>({2, 2}, {1, 2, 3, 4}));
  expect_near(c.set("inputdimensions", Ints{3}).run()[0], {1, 2, 0, 3, 4, 0});
  expect_near(c.set("inputdimensions", Ints{1}).run()[0], {1, 3});
}

}  // namespace
}  // namespace onecard
