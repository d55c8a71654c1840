#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"
#include "lib/ops/operands.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"ai.onnx.ml", "Normalizer", 1}};

}  // namespace

// x / norm along the last axis as f32, x where the norm is 0. Signs as in ONNX Runtime: MAX divides by the largest element, not by the largest
// magnitude; L1 by the sum of magnitudes; L2 keeps the signs. Expanded at import.
struct Normalizer {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(Normalizer)

const std::span<const OnnxName> Normalizer::kOnnx{kNames};

std::vector<Value*> Normalizer::from_onnx(const OnnxNode& node) {
  Value* x = node.needed(0);
  require(is_numeric(x->type.dtype), ErrorKind::model, "normalizes ", info(x->type.dtype).name);
  if (x->type.dtype != DType::f32) {
    Cast cast;
    cast.to = DType::f32;
    x = node.add_op(cast, {x});
  }
  Reduce reduce;
  reduce.fn = onnx_enum<ReduceFn>(node, "norm", "MAX", {{"MAX", ReduceFn::max}, {"L1", ReduceFn::l1}, {"L2", ReduceFn::l2}});
  Value* norm = node.add_op(reduce, {x, int_list(node, {-1})});
  Value* none = node.add_op(Binary(BinaryFn::equal), {norm, node.constant(scalar_tensor(DType::f32, 0))});
  Value* divisor = node.add_op(Where(), {none, node.constant(scalar_tensor(DType::f32, 1)), norm});
  return {node.add_op(Binary(BinaryFn::div), {x, divisor})};
}

}  // namespace onecard
