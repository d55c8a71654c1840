#include "lib/ops/quantize.h"

#include "lib/cpu/kernels.h"
#include "lib/cpu/scaled_reorder.h"

namespace onecard {
namespace {

Built build(const Quantize&, const KernelQuery& q, const OneDnnPtr& library) {
  if (q.in[0].dtype != DType::f32 || q.in[0].quant) return no("x is not f32: " + q.in[0].text());
  return build_scaled_reorder(q, library, q.out[0], DNNL_ARG_DST);
}

}  // namespace

std::unique_ptr<Kernel> make_quantize_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Quantize, build>>("onednn.quantize", library);
}

}  // namespace onecard
