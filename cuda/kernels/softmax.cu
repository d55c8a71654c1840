// Softmax and its logarithm along any axis: one warp per row, rows of any length.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/step.h"
#include "lib/ops/axes.h"
#include "lib/ops/softmax.h"

namespace onecard::cuda {
namespace {

struct SoftmaxRow {
  int extent, inner;                                  // along the axis, behind it
  SoftmaxForm form;
  const float* x;
  float* y;
  template <class Lanes>
  ANYWHERE void operator()(const Lanes& lanes, int row) const {
    const int at = row / inner * extent * inner + row % inner;
    float top = -INFINITY, sum = 0;
    for (int i = lanes.index(); i < extent; i += lanes.count()) top = fmaxf(top, x[at + i * inner]);
    top = lanes.max(top);
    for (int i = lanes.index(); i < extent; i += lanes.count()) sum += expf(x[at + i * inner] - top);
    sum = lanes.sum(sum);                             // a NaN in the row reaches every result through the sum
    const float shift = top + logf(sum);
    for (int i = lanes.index(); i < extent; i += lanes.count()) {
      const float v = x[at + i * inner];
      y[at + i * inner] = form == SoftmaxForm::plain ? expf(v - top) / sum : v - shift;
    }
  }
};

Support supports(const Softmax&, const KernelQuery& q) { return plain_floats(q); }

std::unique_ptr<Step> prepare(const Softmax& op, const KernelQuery& q) {
  const AxisView view = axis_view(q.in[0].shape.numbers(), op.axis);
  const int extent = static_cast<int>(view.extent), inner = static_cast<int>(view.inner);
  const int rows = view.extent == 0 ? 0 : static_cast<int>(view.outer * view.inner);
  const SoftmaxForm form = op.form;
  auto step = make_step(q, [=](const LaunchArgs& a) { launch_rows(SoftmaxRow{extent, inner, form, in<float>(a, 0), out<float>(a)}, rows, a.queue); });
  allow_in_place(*step, q, 0);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_softmax_kernel() { return std::make_unique<KernelFor<Softmax, supports, prepare>>("cuda.softmax"); }

}  // namespace onecard::cuda
