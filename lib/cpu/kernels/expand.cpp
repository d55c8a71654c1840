#include "lib/cpu/kernels.h"
#include "lib/cpu/strided_copy.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/data_ops.h"

namespace onecard {
namespace {

std::optional<StridedCopy> copy_of(const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), y = q.out[0].shape.numbers();
  return StridedCopy::make(y, broadcast_strides(x, y), row_major_strides(y), element_bytes(q.in[0]));
}

Support supports(const Expand&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  return copy_of(q) ? yes() : no("too many axes");
}

std::unique_ptr<Step> prepare(const Expand&, const KernelQuery& q) {
  const StridedCopy copy = *copy_of(q);
  if (q.in[0].bytes() == q.out[0].bytes()) return view_step(q);
  return plain_step(q, [copy](const LaunchArgs& args) { copy.run(args.in[0], args.out[0]); });
}

}  // namespace

std::unique_ptr<Kernel> make_expand_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Expand, supports, prepare>>("cpu.expand"); }

}  // namespace onecard
