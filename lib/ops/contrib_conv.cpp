#include <algorithm>
#include <numeric>

#include "lib/ops/conv.h"
#include "lib/ops/named_activation.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "FusedConv", 1}, {"com.microsoft", "NhwcConv", 1}, {"com.microsoft", "NhwcFusedConv", 1}};

// activation_params by the name of the function they belong to.
ActivationParameters parameters_of(const std::string& activation, const std::vector<float>& values) {
  constexpr std::string_view kBounds[] = {"min", "max"}, kGreek[] = {"alpha", "beta", "gamma"};
  const std::span<const std::string_view> names = activation == "Clip" ? std::span<const std::string_view>(kBounds) : kGreek;
  require(values.size() <= names.size(), ErrorKind::model, values.size(), " activation_params of ", activation);
  ActivationParameters parameters;
  for (size_t i = 0; i < values.size(); ++i) parameters[std::string(names[i])] = values[i];
  return parameters;
}

Value* rotated_axes(const Expansion& ex, Value* x, int64_t by) {
  const Shape& shape = x->type.shape;
  require(shape.has_rank() && shape.rank() >= 3, ErrorKind::model, "expects batch, channels and at least one spatial axis, got ", x->type);
  std::vector<int64_t> perm(static_cast<size_t>(shape.rank()));
  std::iota(perm.begin(), perm.end(), int64_t{0});
  std::rotate(perm.begin() + 1, by > 0 ? perm.begin() + 1 + by : perm.end() + by, perm.end());
  return ex.transpose(x, perm);
}
Value* channels_to_front(const Expansion& ex, Value* x) { return rotated_axes(ex, x, -1); }
Value* channels_to_back(const Expansion& ex, Value* x) { return rotated_axes(ex, x, 1); }

}  // namespace

// com.microsoft's convolution with a sum and an activation behind it, and the same with channels last; expanded at import.
struct ContribConv {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(ContribConv)

const std::span<const OnnxName> ContribConv::kOnnx{kNames};

std::vector<Value*> ContribConv::from_onnx(const OnnxNode& node) {
  const Expansion ex(node);
  const bool channels_last = node.op_type != "FusedConv";
  OnnxNode conv = node;
  conv.inputs.resize(std::min<size_t>(conv.inputs.size(), 3));
  if (channels_last) conv.inputs[0] = channels_to_front(ex, node.needed(0));
  Value* y = Conv::from_onnx(conv)[0];
  if (Value* z = node.input(3)) y = ex.add(y, channels_last ? channels_to_front(ex, z) : z);
  const auto activation = node.attr<std::string>("activation", "");
  y = named_activation(ex, y, activation, parameters_of(activation, node.attr<std::vector<float>>("activation_params", {})));
  return {channels_last ? channels_to_back(ex, y) : y};
}

}  // namespace onecard
