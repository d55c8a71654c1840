#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

// ONNX ConstantOfShape, at import: a scalar constant expanded to the shape, so that nothing large is made before it is needed.
struct ConstantOfShape {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

namespace {
constexpr OnnxName kNames[] = {{"", "ConstantOfShape", 9}};
}
const std::span<const OnnxName> ConstantOfShape::kOnnx{kNames};

std::vector<Value*> ConstantOfShape::from_onnx(const OnnxNode& node) {
  Tensor value(DType::f32, Dims{});
  if (const auto given = materialize(node.attr<ConstTensor>("value", nullptr))) {
    require(given->elements() == 1, ErrorKind::model, "attribute 'value' has ", given->elements(), " elements, not 1");
    value = Tensor(given->dtype(), Dims{});
    copy_all(*given, value);
  }
  return {node.add_op(Expand{}, {node.constant(std::move(value)), node.needed(0)})};
}

DEFINE_OP(ConstantOfShape)

}  // namespace onecard
