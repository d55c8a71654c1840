// Picks slices of x along an axis. Indices that are known while planning are checked then; one that is out of range at run time reads as zero,
// since a kernel cannot raise an error.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/walk.h"
#include "lib/ops/axes.h"
#include "lib/ops/data_ops.h"

namespace onecard::cuda {
namespace {

template <class T, class Index>
struct GatherEach {
  Divider inner, indices_count;
  int extent;
  const T* x;
  const Index* indices;
  T* y;
  ANYWHERE void operator()(int i) const {
    int outer = i;
    const int at = inner.cut(outer), j = indices_count.cut(outer);
    const int64_t index = indices[j] < 0 ? indices[j] + int64_t{extent} : indices[j];
    y[i] = index >= 0 && index < extent ? x[(int64_t{outer} * extent + index) * inner.divisor + at] : T{0};
  }
};

Support supports(const Gather&, const KernelQuery& q) {
  if (Support s = plain_operands(q); !s) return s;
  const DType t = q.in[1].dtype;
  return t == DType::i32 || t == DType::i64 ? yes() : no("indices are " + q.in[1].text());
}

template <class T, class Index>
std::unique_ptr<Step> typed_step(const Gather& op, const KernelQuery& q) {
  const AxisView view = axis_view(q.in[0].shape.numbers(), op.axis);
  const Divider inner(view.inner), indices(elements_of(q.in[1]));
  const int extent = static_cast<int>(view.extent), count = elements_of(q.out[0]);
  return make_step(q, [=](const LaunchArgs& a) { launch_each(GatherEach<T, Index>{inner, indices, extent, in<T>(a, 0), in<Index>(a, 1), out<T>(a)}, count, a.queue); });
}

template <class T>
std::unique_ptr<Step> sized_step(const Gather& op, const KernelQuery& q) {
  return q.in[1].dtype == DType::i32 ? typed_step<T, int32_t>(op, q) : typed_step<T, int64_t>(op, q);
}

std::unique_ptr<Step> prepare(const Gather& op, const KernelQuery& q) {
  const int64_t extent = axis_view(q.in[0].shape.numbers(), op.axis).extent;
  if (const auto known = known_ints(q, 1))
    for (const int64_t i : *known) require(i >= -extent && i < extent, ErrorKind::model, "index ", i, " of an axis of ", extent);
  const int bytes = element_bytes(q.in[0]);
  return bytes == 1 ? sized_step<uint8_t>(op, q) : bytes == 2 ? sized_step<uint16_t>(op, q) : bytes == 4 ? sized_step<uint32_t>(op, q) : sized_step<uint64_t>(op, q);
}

}  // namespace

std::unique_ptr<Kernel> make_gather_kernel() { return std::make_unique<KernelFor<Gather, supports, prepare>>("cuda.gather"); }

}  // namespace onecard::cuda
