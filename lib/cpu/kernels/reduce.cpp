// Means over all spatial axes as pooling, which reads blocked layouts.
#include <algorithm>

#include "lib/cpu/kernels.h"
#include "lib/cpu/pool_primitive.h"
#include "lib/ops/reduce.h"

namespace onecard {
namespace {

using dnnl::algorithm;

// The axes as flags; none when they are not known while planning.
std::optional<std::vector<bool>> reduced_axes(const Reduce& op, const KernelQuery& q) {
  const int64_t rank = q.in[0].shape.rank();
  std::vector<int64_t> axes;
  if (q.has(1)) {
    const ConstTensor& constant = q.constants[1];
    if (!constant || constant->is_deferred()) return std::nullopt;
    axes = to_ints(*constant);
  }
  if (axes.empty()) return std::vector<bool>(static_cast<size_t>(rank), op.when_no_axes == WhenNoAxes::reduce_all);
  std::vector<bool> flags(static_cast<size_t>(rank));
  for (const int64_t a : axes) {
    const int64_t axis = a < 0 ? a + rank : a;
    if (axis < 0 || axis >= rank) return std::nullopt;
    flags[static_cast<size_t>(axis)] = true;
  }
  return flags;
}

bool is_whole_plane(const std::vector<bool>& axes) {
  return axes.size() >= 3 && axes.size() <= 5 && !axes[0] && !axes[1] && std::all_of(axes.begin() + 2, axes.end(), [](bool a) { return a; });
}

Built build(const Reduce& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = plain_f32(KernelQuery{q.op, q.in.first(1), q.out, q.constants.first(1), q.in_layouts.first(1)}); !s) return s;
  const auto axes = reduced_axes(op, q);
  if (!axes) return no("the axes are not known while planning");
  const Dims x = q.in[0].shape.numbers();
  // oneDNN's other reductions lose infinities and NaN under max and min, and are slower than plain_reduce.
  if (op.fn != ReduceFn::mean || !is_whole_plane(*axes)) return no("only means over all spatial axes");
  return build_pooling(q, library, pooling_algorithm(PoolFn::average), whole_plane(x), op.keep_dims == KeepDims::yes ? OutputLayout::any : OutputLayout::plain);
}

}  // namespace

std::unique_ptr<Kernel> make_reduce_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Reduce, build>>("onednn.reduce", library);
}

}  // namespace onecard
