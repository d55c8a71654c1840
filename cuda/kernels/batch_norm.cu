// Batch normalization with given statistics, where no convolution took it in.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/walk.h"
#include "lib/ops/normalize.h"

namespace onecard::cuda {
namespace {

struct NormEach {
  Divider plane, channels;
  float epsilon;
  const float *x, *scale, *bias, *mean, *variance;
  float* y;
  ANYWHERE void operator()(int i) const {
    int rest = plane.divide(i);
    const int c = channels.cut(rest);
    y[i] = (x[i] - mean[c]) / sqrtf(variance[c] + epsilon) * scale[c] + bias[c];
  }
};

Support supports(const BatchNorm&, const KernelQuery& q) { return plain_floats(q); }

std::unique_ptr<Step> prepare(const BatchNorm& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers();
  const int64_t channels = x.size() < 2 ? 1 : x[1];
  int64_t plane = 1;
  for (size_t i = x.size() < 2 ? 0 : 2; i < x.size(); ++i) plane *= x[i];
  const Divider by_plane(plane), by_channels(channels);
  const float epsilon = op.epsilon;
  const int count = elements_of(q.in[0]);
  auto step = make_step(q, [=](const LaunchArgs& a) {
    launch_each(NormEach{by_plane, by_channels, epsilon, in<float>(a, 0), in<float>(a, 1), in<float>(a, 2), in<float>(a, 3), in<float>(a, 4), out<float>(a)}, count, a.queue);
  });
  allow_in_place(*step, q, 0);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_batch_norm_kernel() { return std::make_unique<KernelFor<BatchNorm, supports, prepare>>("cuda.batch_norm"); }

}  // namespace onecard::cuda
