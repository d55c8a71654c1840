#include "lib/cpu/kernels.h"
#include "lib/cpu/strided_copy.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

std::vector<size_t> order_of(const Transpose& op, size_t rank) {
  std::vector<size_t> order;
  for (size_t i = 0; i < rank; ++i) {
    const int64_t axis = op.perm.empty() ? static_cast<int64_t>(rank - 1 - i) : op.perm[i];
    order.push_back(static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis));
  }
  return order;
}

std::optional<StridedCopy> copy_of(const Transpose& op, const KernelQuery& q) {
  const Dims strides = row_major_strides(q.in[0].shape.numbers()), y = q.out[0].shape.numbers();
  Dims from;
  for (const size_t axis : order_of(op, y.size())) from.push_back(strides[axis]);
  return StridedCopy::make(y, from, row_major_strides(y), element_bytes(q.in[0]));
}

Support supports(const Transpose& op, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  return copy_of(op, q) ? yes() : no("too many axes");
}

std::unique_ptr<Step> prepare(const Transpose& op, const KernelQuery& q) {
  const StridedCopy copy = *copy_of(op, q);
  if (copy.is_one_block()) return view_step(q);
  return plain_step(q, [copy](const LaunchArgs& args) { copy.run(args.in[0], args.out[0]); });
}

}  // namespace

std::unique_ptr<Kernel> make_transpose_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Transpose, supports, prepare>>("cpu.transpose"); }

}  // namespace onecard
