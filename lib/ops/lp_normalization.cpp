#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/reduce.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"", "LpNormalization", 1}};

}  // namespace

// x / |x|_p along an axis, and 0 where the norm is 0; expanded at import.
struct LpNormalization {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(LpNormalization)

const std::span<const OnnxName> LpNormalization::kOnnx{kNames};

std::vector<Value*> LpNormalization::from_onnx(const OnnxNode& node) {
  const auto p = node.attr<int64_t>("p", 2);
  require(p == 1 || p == 2, ErrorKind::model, "p is ", p, "; only 1 and 2 are defined");
  Reduce reduce;
  reduce.fn = p == 1 ? ReduceFn::l1 : ReduceFn::l2;
  Value* x = node.needed(0);
  Value* norm = node.add_op(reduce, {x, int_list(node, {node.attr<int64_t>("axis", -1)})});
  Value* zero = node.constant(scalar_tensor(x->type.dtype, 0));
  Value* quotient = node.add_op(Binary(BinaryFn::div), {x, norm});
  return {node.add_op(Where(), {node.add_op(Binary(BinaryFn::equal), {norm, zero}), zero, quotient})};
}

}  // namespace onecard
