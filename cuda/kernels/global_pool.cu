// The mean, maximum or Lp norm over all spatial axes: the lanes of a warp share a plane.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/step.h"
#include "lib/ops/pool.h"

namespace onecard::cuda {
namespace {

struct PoolRow {
  PoolFn fn;
  float p;
  int size;
  const float* x;
  float* y;
  template <class Lanes>
  ANYWHERE void operator()(const Lanes& lanes, int row) const {
    const float* from = x + int64_t{row} * size;
    float acc = fn == PoolFn::max ? -INFINITY : 0.0f;
    for (int i = lanes.index(); i < size; i += lanes.count()) {
      if (fn == PoolFn::max) acc = from[i] > acc ? from[i] : acc;
      else acc += fn == PoolFn::lp ? powf(fabsf(from[i]), p) : from[i];
    }
    acc = fn == PoolFn::max ? lanes.max(acc) : lanes.sum(acc);
    if (lanes.index() == 0) y[row] = fn == PoolFn::max ? acc : fn == PoolFn::lp ? powf(acc, 1 / p) : acc / static_cast<float>(size);
  }
};

Support supports(const GlobalPool&, const KernelQuery& q) { return plain_floats(q); }

std::unique_ptr<Step> prepare(const GlobalPool& op, const KernelQuery& q) {
  const int planes = elements_of(q.out[0]), size = planes == 0 ? 0 : elements_of(q.in[0]) / planes;
  const PoolFn fn = op.fn;
  const auto p = static_cast<float>(op.p);
  return make_step(q, [=](const LaunchArgs& a) { launch_rows(PoolRow{fn, p, size, in<float>(a, 0), out<float>(a)}, planes, a.queue); });
}

}  // namespace

std::unique_ptr<Kernel> make_global_pool_kernel() { return std::make_unique<KernelFor<GlobalPool, supports, prepare>>("cuda.global_pool"); }

}  // namespace onecard::cuda
