// Layer normalization: one warp per row, mean and variance in two passes over it.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/step.h"
#include "lib/ops/axes.h"
#include "lib/ops/normalize.h"

namespace onecard::cuda {
namespace {

struct NormRow {
  int length;
  float epsilon;
  const float *x, *scale, *bias;
  float* y;
  template <class Lanes>
  ANYWHERE void operator()(const Lanes& lanes, int row) const {
    const float* from = x + int64_t{row} * length;
    float* to = y + int64_t{row} * length;
    float sum = 0, squares = 0;
    for (int i = lanes.index(); i < length; i += lanes.count()) sum += from[i];
    const float mean = lanes.sum(sum) / static_cast<float>(length);
    for (int i = lanes.index(); i < length; i += lanes.count()) squares += (from[i] - mean) * (from[i] - mean);
    const float factor = 1 / sqrtf(lanes.sum(squares) / static_cast<float>(length) + epsilon);
    for (int i = lanes.index(); i < length; i += lanes.count()) to[i] = (from[i] - mean) * factor * scale[i] + (bias ? bias[i] : 0.0f);
  }
};

int length_of(const LayerNorm& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers();
  int64_t length = 1;
  for (auto a = static_cast<size_t>(checked_axis(op.axis, static_cast<int64_t>(x.size()))); a < x.size(); ++a) length *= x[a];
  return static_cast<int>(length);
}

Support supports(const LayerNorm& op, const KernelQuery& q) {
  if (Support s = plain_floats(q); !s) return s;
  for (size_t i = 1; i < q.in.size(); ++i)
    if (q.has(i) && elements_of(q.in[i]) != length_of(op, q)) return no("scale or bias is broadcast: " + q.in[i].text());
  return yes();
}

std::unique_ptr<Step> prepare(const LayerNorm& op, const KernelQuery& q) {
  const int length = length_of(op, q), rows = length == 0 ? 0 : elements_of(q.in[0]) / length;
  const float epsilon = op.epsilon;
  auto step = make_step(q, [=](const LaunchArgs& a) {
    launch_rows(NormRow{length, epsilon, in<float>(a, 0), in<float>(a, 1), in<float>(a, 2), out<float>(a)}, rows, a.queue);
  });
  allow_in_place(*step, q, 0);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_layer_norm_kernel() { return std::make_unique<KernelFor<LayerNorm, supports, prepare>>("cuda.layer_norm"); }

}  // namespace onecard::cuda
