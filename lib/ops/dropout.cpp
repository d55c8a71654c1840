#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/operands.h"
#include "lib/ops/random.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"", "Dropout", 1}};

// Whether input i is known now and holds this value.
bool surely(const OnnxNode& node, size_t i, double value) {
  const Value* v = node.input(i);
  return v && v->constant && v->constant->elements() == 1 && materialize(v->constant)->at(0) == value;
}

// In training: keep = u >= ratio with uniform u, y = keep ? x / (1 - ratio) : 0. Where training_mode is known only at run time, both are computed.
std::vector<Value*> trained(const OnnxNode& node) {
  const auto binary = [&](BinaryFn fn, Value* a, Value* b) { return node.add_op(Binary(fn), {a, b}); };
  const auto cast = [&](Value* v, DType to) {
    Cast op;
    op.to = to;
    return node.add_op(op, {v});
  };
  Value *x = node.needed(0), *training = node.needed(2);
  Value* ratio = cast(node.input(1) ? node.input(1) : node.constant(scalar_tensor(DType::f32, 0.5)), DType::f64);
  RandomLike draw;
  draw.dtype = DType::f64;
  draw.seed = node.has("seed") ? node.attr<int64_t>("seed", 0) : seed_from_name(node.name);
  Value* keep = binary(BinaryFn::greater_equal, node.add_op(draw, {x}), ratio);
  Value* scale = cast(binary(BinaryFn::div, node.constant(scalar_tensor(DType::f64, 1)), binary(BinaryFn::sub, node.constant(scalar_tensor(DType::f64, 1)), ratio)), x->type.dtype);
  Value* y = node.add_op(Where{}, {keep, binary(BinaryFn::mul, x, scale), node.constant(scalar_tensor(x->type.dtype, 0))});
  if (surely(node, 2, 1)) return {y, keep};
  return {node.add_op(Where{}, {training, y, x}), binary(BinaryFn::logical_or, keep, node.add_op(Unary({Fn::logical_not}), {training}))};
}

}  // namespace

// In inference y is x and every element is kept; before opset 12 that is all there is. Expanded at import.
struct Dropout {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(Dropout)

const std::span<const OnnxName> Dropout::kOnnx{kNames};

std::vector<Value*> Dropout::from_onnx(const OnnxNode& node) {
  if (node.input(2) && !surely(node, 2, 0) && !surely(node, 1, 0)) return trained(node);
  Value* x = node.needed(0);
  if (!node.wants(1)) return {x, nullptr};
  // Before opset 10 the mask has the type of x.
  const DType dtype = node.opset < 10 ? x->type.dtype : DType::boolean;
  return {x, node.add_op(Expand(), {node.constant(scalar_tensor(dtype, 1)), node.add_op(ShapeOf(), {x})})};
}

}  // namespace onecard
