#include "lib/cpu/kernels.h"
#include "lib/cpu/pool_primitive.h"

namespace onecard {
namespace {

Built build(const GlobalPool& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = pooling_fits(q, op.fn); !s) return s;
  return build_pooling(q, library, pooling_algorithm(op.fn), whole_plane(q.in[0].shape.numbers()), OutputLayout::any);
}

}  // namespace

std::unique_ptr<Kernel> make_global_pool_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<GlobalPool, build>>("onednn.global_pool", library);
}

}  // namespace onecard
