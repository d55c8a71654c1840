#include "lib/cpu/kernels.h"
#include "lib/cpu/scaled_reorder.h"
#include "lib/ops/quantize.h"

namespace onecard {
namespace {

Built build(const Dequantize&, const KernelQuery& q, const OneDnnPtr& library) {
  if (q.out[0].dtype != DType::f32 || q.out[0].quant) return no("y is not f32: " + q.out[0].text());
  return build_scaled_reorder(q, library, q.in[0], DNNL_ARG_SRC);
}

}  // namespace

std::unique_ptr<Kernel> make_dequantize_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Dequantize, build>>("onednn.dequantize", library);
}

}  // namespace onecard
