#include "lib/ops/data_ops.h"
#include "lib/ops/operands.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"", "Dropout", 1}};

// Whether the node drops elements: with a training_mode that is, or may be, true, and a ratio that is not 0.
bool trains(const OnnxNode& node) {
  const auto surely = [&](size_t i, double value) {
    const Value* v = node.input(i);
    return v && v->constant && v->constant->elements() == 1 && materialize(v->constant)->at(0) == value;
  };
  return node.input(2) && !surely(2, 0) && !surely(1, 0);
}

}  // namespace

// In inference y is x and every element is kept; expanded at import.
struct Dropout {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(Dropout)

const std::span<const OnnxName> Dropout::kOnnx{kNames};

std::vector<Value*> Dropout::from_onnx(const OnnxNode& node) {
  require(!trains(node), ErrorKind::model, "Dropout is in training mode; re-export the model in inference mode");
  Value* x = node.needed(0);
  if (!node.wants(1)) return {x, nullptr};
  // Before opset 10 the mask has the type of x.
  const DType dtype = node.opset < 10 ? x->type.dtype : DType::boolean;
  return {x, node.add_op(Expand(), {node.constant(scalar_tensor(dtype, 1)), node.add_op(ShapeOf(), {x})})};
}

}  // namespace onecard
