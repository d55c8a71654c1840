// Other shapes of the same bytes: nothing is launched.
#include "cuda/kernels.h"
#include "cuda/step.h"
#include "lib/ops/shape_ops.h"

namespace onecard::cuda {
namespace {

template <class O>
Support supports(const O&, const KernelQuery& q) {
  const bool is_plain = q.in[0].is_static() && q.out[0].is_static() && q.in[0].dtype != DType::string;
  return is_plain ? yes() : no("needs static tensors, got " + q.in[0].text());
}

template <class O>
std::unique_ptr<Step> prepare(const O&, const KernelQuery& q) { return view_step(q); }

template <class O>
std::unique_ptr<Kernel> make() { return std::make_unique<KernelFor<O, supports<O>, prepare<O>>>("cuda.view"); }

}  // namespace

std::unique_ptr<Kernel> make_reshape_kernel() { return make<Reshape>(); }
std::unique_ptr<Kernel> make_flatten_kernel() { return make<Flatten>(); }
std::unique_ptr<Kernel> make_squeeze_kernel() { return make<Squeeze>(); }
std::unique_ptr<Kernel> make_unsqueeze_kernel() { return make<Unsqueeze>(); }

}  // namespace onecard::cuda
