// Pooling over windows of up to three spatial axes, one thread per result.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/step.h"
#include "cuda/window.h"
#include "lib/ops/pool_window.h"

namespace onecard::cuda {
namespace {

struct PoolEach {
  WindowShape w;
  PoolFn fn;
  float p;
  const float* x;
  float* y;

  // Window elements along axis a that count for an average.
  ANYWHERE int counted(int a, int start) const {
    const bool padding = fn == PoolFn::average_with_padding;
    const int first = padding ? -w.pad[a] : 0, end = w.in[a] + (padding ? w.pad_end[a] : 0);
    int inside = 0;
    for (int k = 0; k < w.kernel[a]; ++k) {
      const int at = start + k * w.dilation[a];
      inside += at >= first && at < end;
    }
    return inside;
  }

  ANYWHERE float add(float acc, float v) const {
    if (fn == PoolFn::max) return v > acc ? v : acc;
    if (fn != PoolFn::lp) return acc + v;
    return acc + (p == 1 ? fabsf(v) : p == 2 ? v * v : powf(fabsf(v), p));
  }

  ANYWHERE float finish(float acc, const int (&start)[3]) const {
    if (fn == PoolFn::max) return acc;
    if (fn == PoolFn::lp) return p == 1 ? acc : p == 2 ? sqrtf(acc) : powf(acc, 1 / p);
    float count = 1;
    for (int a = 0; a < 3; ++a) count *= static_cast<float>(counted(a, start[a]));
    return acc / count;
  }

  ANYWHERE void operator()(int i) const {
    int plane = i;
    int rest = w.out_by_plane.cut(plane), start[3];
    for (int a = 2; a >= 0; --a) start[a] = w.out_by_axis[a].cut(rest) * w.stride[a] - w.pad[a];
    const float* from = x + int64_t{plane} * w.in_plane;
    float acc = fn == PoolFn::max ? -INFINITY : 0.0f;
    for (int d = 0; d < w.kernel[0]; ++d) {
      const int at_d = start[0] + d * w.dilation[0];
      if (at_d < 0 || at_d >= w.in[0]) continue;
      for (int r = 0; r < w.kernel[1]; ++r) {
        const int at_r = start[1] + r * w.dilation[1];
        if (at_r < 0 || at_r >= w.in[1]) continue;
        for (int c = 0; c < w.kernel[2]; ++c) {
          const int at_c = start[2] + c * w.dilation[2];
          if (at_c >= 0 && at_c < w.in[2]) acc = add(acc, from[(at_d * w.in[1] + at_r) * w.in[2] + at_c]);
        }
      }
    }
    y[i] = finish(acc, start);
  }
};

std::optional<WindowShape> window_of(const Pool& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers();
  return make_window(pool_base_geometry(pool_window(op), x), x, q.out[0].shape.numbers());
}

Support supports(const Pool& op, const KernelQuery& q) {
  if (Support s = plain_floats(q); !s) return s;
  return window_of(op, q) ? yes() : no("more than three spatial axes, or a window beyond 2^30");
}

std::unique_ptr<Step> prepare(const Pool& op, const KernelQuery& q) {
  const PoolEach each{*window_of(op, q), op.fn, static_cast<float>(op.p), nullptr, nullptr};
  const int count = elements_of(q.out[0]);
  return make_step(q, [=](const LaunchArgs& a) {
    PoolEach f = each;
    f.x = in<float>(a, 0);
    f.y = out<float>(a);
    launch_each(f, count, a.queue);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_pool_kernel() { return std::make_unique<KernelFor<Pool, supports, prepare>>("cuda.pool"); }

}  // namespace onecard::cuda
