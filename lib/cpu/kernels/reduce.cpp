// Means and maxima over all spatial axes as pooling (which reads blocked layouts), other reductions by oneDNN where it has compiled code.
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

std::optional<algorithm> algorithm_of(ReduceFn fn) {
  switch (fn) {
    case ReduceFn::sum: return algorithm::reduction_sum;
    case ReduceFn::mean: return algorithm::reduction_mean;
    case ReduceFn::max: return algorithm::reduction_max;
    case ReduceFn::min: return algorithm::reduction_min;
    case ReduceFn::prod: return algorithm::reduction_mul;
    default: return std::nullopt;
  }
}

bool is_whole_plane(const std::vector<bool>& axes) {
  return axes.size() >= 3 && axes.size() <= 5 && !axes[0] && !axes[1] && std::all_of(axes.begin() + 2, axes.end(), [](bool a) { return a; });
}

Built build(const Reduce& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = plain_f32(KernelQuery{q.op, q.in.first(1), q.out, q.constants.first(1), q.in_layouts.first(1)}); !s) return s;
  const auto axes = reduced_axes(op, q);
  if (!axes) return no("the axes are not known while planning");
  const Dims x = q.in[0].shape.numbers();
  if (is_whole_plane(*axes) && (op.fn == ReduceFn::mean || op.fn == ReduceFn::max)) {
    const PoolFn fn = op.fn == ReduceFn::mean ? PoolFn::average : PoolFn::max;
    return build_pooling(q, library, pooling_algorithm(fn), whole_plane(x), op.keep_dims == KeepDims::yes ? OutputLayout::any : OutputLayout::plain);
  }
  const auto algorithm = algorithm_of(op.fn);
  if (!algorithm) return no("oneDNN has no such reduction");
  Dims y = x;
  for (size_t i = 0; i < y.size(); ++i)
    if ((*axes)[i]) y[i] = 1;
  if (y == x) return no("nothing is reduced");
  const auto src = plain_desc(x, dnnl::memory::data_type::f32), dst = plain_desc(y, dnnl::memory::data_type::f32);
  const dnnl::reduction::primitive_desc desc(library->engine, *algorithm, src, dst, 0, 0, make_attr(), true);
  if (is_slow(desc)) return no("oneDNN has no compiled code for this reduction");
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_SRC, src, 0, OneDnnStep::Asks::plain);
  step->out(DNNL_ARG_DST, dst, 0, OneDnnStep::Asks::plain);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_reduce_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Reduce, build>>("onednn.reduce", library);
}

}  // namespace onecard
