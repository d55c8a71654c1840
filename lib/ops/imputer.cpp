#include <cmath>

#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/operands.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"ai.onnx.ml", "Imputer", 1}};

template <class T>
Tensor as_list(const std::vector<T>& values, DType dtype) {
  return convert(Tensor::of<T>({std::ssize(values)}, values), dtype);
}

}  // namespace

// x with every `replaced` (NaN too) changed to the imputed value, one for all or one per index of the last axis. Expanded at import.
struct Imputer {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(Imputer)

const std::span<const OnnxName> Imputer::kOnnx{kNames};

std::vector<Value*> Imputer::from_onnx(const OnnxNode& node) {
  Value* x = node.needed(0);
  const DType dtype = x->type.dtype;
  require(is_numeric(dtype), ErrorKind::model, "replaces values of ", info(dtype).name);
  const bool floating = is_float(dtype);
  const auto floats = node.attr<std::vector<float>>("imputed_value_floats", {});
  const auto ints = node.attr<std::vector<int64_t>>("imputed_value_int64s", {});
  const auto count = floating ? std::ssize(floats) : std::ssize(ints);
  require(count > 0, ErrorKind::model, "has no imputed values for ", info(dtype).name);
  const Shape& shape = x->type.shape;
  if (shape.has_rank() && shape.rank() > 0 && shape[shape.rank() - 1].is_number())
    require(count == 1 || shape[shape.rank() - 1] == Dim(count), ErrorKind::model, "has ", count, " imputed values for ", shape);
  Value* imputed = node.constant(floating ? as_list(floats, dtype) : as_list(ints, dtype));
  const float replaced = node.attr<float>("replaced_value_float", 0);
  Value* missing = nullptr;
  if (floating && std::isnan(replaced)) {
    missing = node.add_op(Unary(Activation{Fn::isnan}), {x});
  } else {
    Tensor value = floating ? as_list<float>({replaced}, dtype) : as_list<int64_t>({node.attr<int64_t>("replaced_value_int64", 0)}, dtype);
    missing = node.add_op(Binary(BinaryFn::equal), {x, node.constant(std::move(value))});
  }
  return {node.add_op(Where(), {missing, imputed, x})};
}

}  // namespace onecard
