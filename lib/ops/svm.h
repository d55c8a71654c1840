#pragma once
#include "lib/ops/score_transform.h"

namespace onecard {

// k(x, v): x.v | (gamma x.v + coef0)^degree | exp(-gamma |x - v|^2) | tanh(gamma x.v + coef0).
enum class SvmKernelFn : uint8_t { linear, poly, rbf, sigmoid };
inline constexpr std::string_view kSvmKernelFnNames[] = {"linear", "poly", "rbf", "sigmoid"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<SvmKernelFn>{kSvmKernelFnNames};
struct SvmKernel {
  SvmKernelFn fn = SvmKernelFn::linear;
  float gamma = 0, coef0 = 0, degree = 0;
  // Of all support vectors (f32 [V, F]) with one row.
  void operator()(std::span<const float> row, std::span<const float> vectors, std::span<double> out) const;
};
SvmKernel svm_kernel_of(const OnnxNode& node);
void add_svm_kernel(OnnxForm& form, const SvmKernel& kernel);
// Raises model unless x is rows [N, F] and vectors [V, F] of f32; N.
Dim check_svm_types(const InferContext& in);

// y = sum over the support vectors of coefficient * k(x, vector) + rho, as f32 [N, 1]; one_class: 1 above 0, else -1.
// Inputs: x [N, F], support vectors [V, F], coefficients [V], rho [1], all f32.
enum class SvmResult : uint8_t { value, one_class };
inline constexpr std::string_view kSvmResultNames[] = {"value", "one_class"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<SvmResult>{kSvmResultNames};
struct SvmRegressor : OpBase<SvmRegressor> {
  static constexpr std::string_view kName = "svm_regressor";
  SvmKernelFn kernel = SvmKernelFn::linear;
  float gamma = 0, coef0 = 0, degree = 0;
  SvmResult result = SvmResult::value;
  static constexpr auto kFields =
      std::tuple{field("kernel", &SvmRegressor::kernel), field("gamma", &SvmRegressor::gamma), field("coef0", &SvmRegressor::coef0),
                 field("degree", &SvmRegressor::degree), field("result", &SvmRegressor::result)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;  // SVMRegressor
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// One decision per pair of classes i < j: over i's support vectors with row j - 1 of the coefficients, over j's with row i, + rho of the pair; above
// 0 it is a vote for i, else for j. Index of the class with most votes (i64 [N]) and scores (f32): the decisions [N, pairs], two classes' one as
// (-d, d); with prob_a and prob_b [N, classes] probabilities: 1 - logistic(a d + b) of each pair, coupled by Wu, Lin and Weng's second method.
// Inputs: x [N, F], support vectors [V, F] by class, coefficients [classes - 1, V], rho [pairs], prob_a [pairs] and prob_b [pairs] (both or none).
struct SvmClassifier : OpBase<SvmClassifier> {
  static constexpr std::string_view kName = "svm_classifier";
  SvmKernelFn kernel = SvmKernelFn::linear;
  float gamma = 0, coef0 = 0, degree = 0;
  std::vector<int64_t> vectors_per_class;
  ScoreTransform transform = ScoreTransform::none;
  static constexpr auto kFields = std::tuple{field("kernel", &SvmClassifier::kernel),
                                             field("gamma", &SvmClassifier::gamma),
                                             field("coef0", &SvmClassifier::coef0),
                                             field("degree", &SvmClassifier::degree),
                                             field("vectors_per_class", &SvmClassifier::vectors_per_class),
                                             field("transform", &SvmClassifier::transform)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;  // SVMClassifier
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
