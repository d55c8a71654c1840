#include "lib/ops/expansion.h"

#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/range.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {

Value* Expansion::ints(const std::vector<int64_t>& list) const { return int_list(node_, list); }
Value* Expansion::scalar(DType dtype, double value) const { return node_.constant(scalar_tensor(dtype, value)); }

Value* Expansion::cast(Value* x, DType to) const {
  if (x->type.dtype == to) return x;
  Cast op;
  op.to = to;
  return node_.add_op(op, {x});
}

Value* Expansion::unary(const Activation& f, Value* x) const { return f.is_identity() ? x : node_.add_op(Unary(f), {x}); }
Value* Expansion::binary(BinaryFn fn, Value* a, Value* b) const { return node_.add_op(Binary(fn), {a, b}); }
Value* Expansion::times(Value* x, double factor) const { return factor == 1 ? x : mul(x, scalar(x->type.dtype, factor)); }
Value* Expansion::where(Value* condition, Value* x, Value* y) const { return node_.add_op(Where(), {condition, x, y}); }

Value* Expansion::reshape(Value* x, Value* shape) const { return node_.add_op(Reshape(), {x, shape}); }

Value* Expansion::transpose(Value* x, const std::vector<int64_t>& perm) const {
  Transpose op;
  op.perm = perm;
  return node_.add_op(op, {x});
}

Value* Expansion::squeeze(Value* x, const std::vector<int64_t>& axes) const { return node_.add_op(Squeeze(), {x, ints(axes)}); }
Value* Expansion::unsqueeze(Value* x, const std::vector<int64_t>& axes) const { return node_.add_op(Unsqueeze(), {x, ints(axes)}); }
Value* Expansion::expand(Value* x, Value* shape) const { return node_.add_op(Expand(), {x, shape}); }

Value* Expansion::concat(const std::vector<Value*>& parts, int64_t axis) const {
  if (parts.size() == 1) return parts[0];
  Concat op;
  op.axis = axis;
  return node_.add_op(op, parts);
}

std::vector<Value*> Expansion::split(Value* x, int64_t axis, const std::vector<int64_t>& sizes) const {
  Split op;
  op.axis = axis;
  op.outputs = static_cast<int64_t>(sizes.size());
  return node_.add_all(op, {x, ints(sizes)});
}

Value* Expansion::slice(Value* x, int64_t axis, Value* from, Value* to) const { return node_.add_op(Slice(), {x, from, to, ints({axis})}); }

Value* Expansion::gather(Value* x, Value* indices, int64_t axis) const {
  Gather op;
  op.axis = axis;
  return node_.add_op(op, {x, indices});
}

Value* Expansion::reduce(ReduceFn fn, Value* x, const std::vector<int64_t>& axes, KeepDims keep) const {
  Reduce op;
  op.fn = fn;
  op.keep_dims = keep;
  return node_.add_op(op, {x, ints(axes)});
}

Value* Expansion::extents(Value* x, int64_t from, int64_t count) const {
  ShapeOf op;
  op.start = from;
  op.end = from + count;
  return node_.add_op(op, {x});
}

Value* Expansion::counted(Value* limit) const {
  return node_.add_op(Range(), {scalar(DType::i64, 0), reshape(limit, std::vector<int64_t>{}), scalar(DType::i64, 1)});
}

}  // namespace onecard
