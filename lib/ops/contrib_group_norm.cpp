#include "lib/ops/expansion.h"
#include "lib/ops/group_norm.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "GroupNorm", 1}, {"com.microsoft", "SkipGroupNorm", 1}};

}  // namespace

// com.microsoft's group norm of images, channels last by default, with a SiLU behind it on request and a sum before it (whose value is the second
// output); expanded at import.
struct ContribGroupNorm {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(ContribGroupNorm)

const std::span<const OnnxName> ContribGroupNorm::kOnnx{kNames};

std::vector<Value*> ContribGroupNorm::from_onnx(const OnnxNode& node) {
  const Expansion ex(node);
  const bool channels_last = node.attr<int64_t>("channels_last", 1) != 0;
  Value* x = node.needed(0);
  if (node.op_type == "SkipGroupNorm") {
    Value* skip = node.needed(3);
    if (skip->type.shape.has_rank() && skip->type.shape.rank() == 2)
      skip = ex.unsqueeze(skip, channels_last ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2, 3});
    x = ex.add(x, skip);
    if (Value* bias = node.input(4)) x = ex.add(x, channels_last ? bias : ex.unsqueeze(bias, {1, 2}));
  }
  GroupNorm norm;
  norm.groups = node.needed_attr<int64_t>("groups");
  require(norm.groups > 0, ErrorKind::model, "groups is ", norm.groups);
  norm.epsilon = node.attr("epsilon", 1e-5f);
  const auto activation = node.attr<int64_t>("activation", 0);
  require(activation == 0 || activation == 1, ErrorKind::model, "activation is ", activation);
  const DType dtype = x->type.dtype;
  Value* y = node.add_op(norm, {channels_last ? ex.transpose(x, {0, 3, 1, 2}) : x, ex.cast(node.needed(1), dtype), ex.cast(node.needed(2), dtype)});
  if (activation == 1) y = ex.unary({Fn::silu, 1}, y);
  return {channels_last ? ex.transpose(y, {0, 2, 3, 1}) : y, x};
}

}  // namespace onecard
