#include <cmath>

#include "lib/ops/binary.h"
#include "lib/ops/operands.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"ai.onnx.ml", "Binarizer", 1}};

}  // namespace

// 1 where x > threshold, else 0 (NaN too, which ONNX Runtime refuses); x's type. Expanded at import.
struct Binarizer {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(Binarizer)

const std::span<const OnnxName> Binarizer::kOnnx{kNames};

std::vector<Value*> Binarizer::from_onnx(const OnnxNode& node) {
  Value* x = node.needed(0);
  const DType dtype = x->type.dtype;
  require(is_numeric(dtype), ErrorKind::model, "compares ", info(dtype).name);
  const auto threshold = static_cast<double>(node.attr<float>("threshold", 0));
  BinaryFn fn = BinaryFn::greater;
  Tensor limit = scalar_tensor(dtype, threshold);
  if (is_integer(dtype)) {  // x > t is x > floor(t); below every integer it is x >= the least of all
    limit = visit_numeric(dtype, [&]<class T>(TypeTag<T>) { return Tensor::scalar<T>(narrow<T>(std::floor(threshold))); });
    if (std::floor(threshold) < limit.at(0)) fn = BinaryFn::greater_equal;
    require(!std::isnan(threshold), ErrorKind::model, "the threshold is NaN");
  }
  Cast cast;
  cast.to = dtype;
  return {node.add_op(cast, {node.add_op(Binary(fn), {x, node.constant(std::move(limit))})})};
}

}  // namespace onecard
