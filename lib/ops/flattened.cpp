#include "lib/ops/flattened.h"

#include "lib/ops/axes.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

std::optional<int64_t> single_axis_from(const Shape& x, int64_t axis) {
  if (!x.has_rank()) return axis == -1 ? std::optional<int64_t>(-1) : std::nullopt;
  if (axis == x.rank()) return std::nullopt;
  std::optional<int64_t> found;
  for (int64_t i = checked_axis(axis, x.rank()); i < x.rank(); ++i) {
    if (x[i] == Dim(1)) continue;
    if (found) return std::nullopt;
    found = i;
  }
  return found ? found : x.rank() - 1;
}

Value* on_flattened(const OnnxNode& node, Value* x, int64_t axis, std::shared_ptr<const Op> op) {
  Value* shape = node.add_op(ShapeOf(), {x});
  Flatten flatten;
  flatten.axis = axis;
  Value* y = node.add(std::move(op), {node.add_op(flatten, {x})});
  Reshape back;
  back.zero_means = ZeroMeans::zero;
  return node.add_op(back, {y, shape});
}

}  // namespace onecard
