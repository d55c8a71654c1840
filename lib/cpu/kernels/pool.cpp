#include "lib/cpu/kernels.h"
#include "lib/cpu/pool_primitive.h"

namespace onecard {
namespace {

Built build(const Pool& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = pooling_fits(q, op.fn); !s) return s;
  const Dims x = q.in[0].shape.numbers();
  const ConvGeometry g = pool_geometry(op, x);
  PoolShapes s;
  s.dst = q.out[0].shape.numbers();
  s.kernel = g.kernel;
  s.strides = g.strides;
  s.pads_begin = g.pads_begin;
  for (size_t i = 0; i < g.kernel.size(); ++i) {
    const int64_t reach = (g.kernel[i] - 1) * g.dilations[i] + 1;
    s.dilations.push_back(g.dilations[i] - 1);
    s.pads_end.push_back(g.pads_end[i]);
    if (g.pads_begin[i] >= reach || s.pads_end[i] >= reach) return no("a window may lie in the padding alone");
    const int64_t named = i + g.kernel.size() < op.pads.size() ? op.pads[i + g.kernel.size()] : 0;
    if (op.fn == PoolFn::average_with_padding && op.auto_pad == AutoPad::notset && s.pads_end[i] > named)
      return no("the last window reaches beyond the padding that counts");
  }
  return build_pooling(q, library, pooling_algorithm(op.fn), s, OutputLayout::any);
}

}  // namespace

std::unique_ptr<Kernel> make_pool_kernel(const OneDnnPtr& library) { return std::make_unique<OneDnnKernel<Pool, build>>("onednn.pool", library); }

}  // namespace onecard
