// c ? x : y with broadcasting, for elements of 1, 4 or 8 bytes.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/walk.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/data_ops.h"

namespace onecard::cuda {
namespace {

template <class T>
struct WhereEach {
  Walk<3> walk;
  const bool* c;
  const T *x, *y;
  T* to;
  ANYWHERE void operator()(int i) const {
    int at[3];
    walk.offsets(i, at);
    to[i] = c[at[0]] ? x[at[1]] : y[at[2]];
  }
};

std::optional<Walk<3>> walk_of(const KernelQuery& q) {
  const Dims y = q.out[0].shape.numbers();
  return make_walk<3>(y, {broadcast_strides(q.in[0].shape.numbers(), y), broadcast_strides(q.in[1].shape.numbers(), y), broadcast_strides(q.in[2].shape.numbers(), y)});
}

Support supports(const Where&, const KernelQuery& q) {
  if (Support s = plain_operands(q); !s) return s;
  const int bytes = element_bytes(q.out[0]);
  if (bytes != 1 && bytes != 4 && bytes != 8) return no("elements of 2 bytes");
  return walk_of(q) ? yes() : no("broadcasts along too many axes");
}

template <class T>
std::unique_ptr<Step> typed_step(const KernelQuery& q) {
  const Walk<3> walk = *walk_of(q);
  return make_step(q, [=](const LaunchArgs& a) { launch_each(WhereEach<T>{walk, in<bool>(a, 0), in<T>(a, 1), in<T>(a, 2), out<T>(a)}, walk.count, a.queue); });
}

std::unique_ptr<Step> prepare(const Where&, const KernelQuery& q) {
  const int bytes = element_bytes(q.out[0]);
  return bytes == 1 ? typed_step<uint8_t>(q) : bytes == 4 ? typed_step<uint32_t>(q) : typed_step<uint64_t>(q);
}

}  // namespace

std::unique_ptr<Kernel> make_where_kernel() { return std::make_unique<KernelFor<Where, supports, prepare>>("cuda.where"); }

}  // namespace onecard::cuda
