#include "lib/ops/svm.h"

#include <cmath>
#include <utility>

#include "lib/base/parallel.h"
#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"
#include "lib/ops/operands.h"

namespace onecard {

namespace {

constexpr std::string_view kOnnxKernels[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};

double dot(std::span<const float> a, const float* b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}
double squared_distance(std::span<const float> a, const float* b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d * d;
  }
  return sum;
}

}  // namespace

void SvmKernel::operator()(std::span<const float> row, std::span<const float> vectors, std::span<double> out) const {
  for (size_t v = 0; v < out.size(); ++v) {
    const float* vector = vectors.data() + v * row.size();
    switch (fn) {
      case SvmKernelFn::linear: out[v] = dot(row, vector); break;
      case SvmKernelFn::poly: out[v] = std::pow(static_cast<double>(gamma) * dot(row, vector) + coef0, static_cast<double>(degree)); break;
      case SvmKernelFn::rbf: out[v] = std::exp(-static_cast<double>(gamma) * squared_distance(row, vector)); break;
      case SvmKernelFn::sigmoid: out[v] = std::tanh(static_cast<double>(gamma) * dot(row, vector) + coef0); break;
    }
  }
}

SvmKernel svm_kernel_of(const OnnxNode& node) {
  SvmKernel kernel;
  kernel.fn = onnx_enum<SvmKernelFn>(
      node, "kernel_type", "LINEAR",
      {{"LINEAR", SvmKernelFn::linear}, {"POLY", SvmKernelFn::poly}, {"RBF", SvmKernelFn::rbf}, {"SIGMOID", SvmKernelFn::sigmoid}});
  const auto params = node.attr<std::vector<float>>("kernel_params", {});
  require(params.empty() || params.size() == 3, ErrorKind::model, "attribute 'kernel_params' has ", params.size(),
          " entries, not gamma, coef0 and degree");
  if (!params.empty()) kernel.gamma = params[0], kernel.coef0 = params[1], kernel.degree = params[2];
  return kernel;
}

void add_svm_kernel(OnnxForm& form, const SvmKernel& kernel) {
  form.attributes["kernel_type"] = std::string(kOnnxKernels[static_cast<size_t>(kernel.fn)]);
  form.attributes["kernel_params"] = std::vector<float>{kernel.gamma, kernel.coef0, kernel.degree};
}

Dim check_svm_types(const InferContext& in) {
  for (size_t i = 0; i < in.size(); ++i)
    if (in.has(i)) require(plain_tensor(in, i).dtype == DType::f32, ErrorKind::model, "input ", i, " is ", info(in.dtype(i)).name, ", not f32");
  const Shape &x = in.shape(0), &vectors = in.shape(1);
  require(!x.has_rank() || x.rank() == 2, ErrorKind::model, "takes rows [N,F], not ", x);
  require(!vectors.has_rank() || vectors.rank() == 2, ErrorKind::model, "the support vectors are ", vectors);
  if (x.has_rank() && vectors.has_rank()) agreed(x[1], vectors[1]);
  return x.has_rank() ? x[0] : Dim::unknown();
}

std::vector<TensorType> SvmRegressor::infer(const InferContext& in) const {
  const Dim rows = check_svm_types(in);
  if (in.shape(1).has_rank() && in.shape(2).has_rank() && in.shape(2).rank() == 1) agreed(in.shape(1)[0], in.shape(2)[0]);
  return {TensorType(DType::f32, Shape{rows, 1})};
}

void SvmRegressor::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &vectors = *in[1];
  const auto coefficients = in[2]->data<float>(), rho = in[3]->data<float>();
  require(x.rank() == 2 && vectors.rank() == 2 && x.dims()[1] == vectors.dims()[1] && in[2]->elements() == vectors.dims()[0] && !rho.empty(),
          ErrorKind::model, "the support vectors are ", vectors.type(), " for ", x.type());
  const auto features = static_cast<size_t>(x.dims()[1]);
  const auto y = allocated(out[0], DType::f32, {x.dims()[0], 1}).data<float>();
  const SvmKernel k{kernel, gamma, coef0, degree};
  parallel_for(x.dims()[0], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> values(coefficients.size());
    for (auto row = static_cast<size_t>(begin); row < static_cast<size_t>(end); ++row) {
      k(x.data<float>().subspan(row * features, features), vectors.data<float>(), values);
      double sum = rho[0];
      for (size_t v = 0; v < values.size(); ++v) sum += static_cast<double>(coefficients[v]) * values[v];
      y[row] = result == SvmResult::one_class ? (sum > 0 ? 1.0f : -1.0f) : static_cast<float>(sum);
    }
  });
}

std::optional<OnnxForm> SvmRegressor::to_onnx(const Node& node) const {
  OnnxForm form{"SVMRegressor", {{"one_class", int64_t{result == SvmResult::one_class}}}, "ai.onnx.ml"};
  static constexpr std::string_view kKeys[] = {"", "support_vectors", "coefficients", "rho"};
  for (size_t i = 1; i < std::size(kKeys); ++i) {
    if (!node.inputs[i]->is_constant()) return std::nullopt;
    const ConstTensor t = materialize(node.inputs[i]->constant);
    form.attributes[std::string(kKeys[i])] = std::vector<float>(t->data<float>().begin(), t->data<float>().end());
  }
  form.attributes["n_supports"] = node.inputs[1]->constant->dims().at(0);
  add_svm_kernel(form, {kernel, gamma, coef0, degree});
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"ai.onnx.ml", "SVMRegressor", 1}};
}
const std::span<const OnnxName> SvmRegressor::kOnnx{kNames};

std::vector<Value*> SvmRegressor::from_onnx(const OnnxNode& node) {
  using Floats = std::vector<float>;
  auto coefficients = node.needed_attr<Floats>("coefficients"), vectors = node.attr<Floats>("support_vectors", {});
  const auto rho = node.needed_attr<Floats>("rho");
  auto count = node.attr<int64_t>("n_supports", 0);
  SvmKernel kernel = svm_kernel_of(node);
  if (count <= 0) {  // the coefficients are those of the features
    kernel.fn = SvmKernelFn::linear;
    vectors = std::exchange(coefficients, {1.0f});
    count = 1;
  }
  const auto size = std::ssize(vectors);
  require(size > 0 && size % count == 0 && std::ssize(coefficients) == count && !rho.empty(), ErrorKind::model, coefficients.size(),
          " coefficients, ", rho.size(), " rho and ", size, " numbers of ", count, " support vectors do not fit together");
  SvmRegressor op;
  op.kernel = kernel.fn;
  op.gamma = kernel.gamma, op.coef0 = kernel.coef0, op.degree = kernel.degree;
  op.result = node.attr<int64_t>("one_class", 0) != 0 ? SvmResult::one_class : SvmResult::value;
  // ONNX Runtime passes over the transforms; of one score only probit says something.
  const ScoreTransform transform = score_transform_of(node);
  Value* y = node.add_op(op, {add_rows(node, node.needed(0)), node.constant(Tensor::of<float>({count, size / count}, vectors)),
                              node.constant(Tensor::of<float>({count}, coefficients)), node.constant(Tensor::of<float>({1}, {rho[0]}))});
  return {add_score_transform(node, y, 1, transform)};
}

DEFINE_OP(SvmRegressor)

}  // namespace onecard
