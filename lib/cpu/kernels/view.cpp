// Ops whose output is the input's bytes under another type: nothing is launched.
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/retype.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace {

bool is_view(const Op& op, const KernelQuery& q) {
  if (const auto* unary = dynamic_cast<const Unary*>(&op)) return unary->f.is_identity();
  if (const auto* cast = dynamic_cast<const Cast*>(&op)) return cast->to == q.in[0].dtype;
  return dynamic_cast<const Retype*>(&op) || dynamic_cast<const Reshape*>(&op) || dynamic_cast<const Flatten*>(&op) || dynamic_cast<const Squeeze*>(&op) ||
         dynamic_cast<const Unsqueeze*>(&op);
}

class ViewKernel : public Kernel {
 public:
  std::string_view name() const override { return "cpu.view"; }
  Support supports(const KernelQuery& q) const override {
    if (q.in.empty() || !is_view(q.op, q)) return no("other op");
    const TensorType &x = q.in[0], &y = q.out[0];
    if (!x.is_static() || !y.is_static() || x.dtype == DType::string) return no("needs static tensors, got " + x.text());
    return x.dtype == y.dtype && x.bytes() == y.bytes() ? yes() : no("the output has another size");
  }
  std::unique_ptr<Step> prepare(const KernelQuery& q) const override {
    auto step = view_step(q);
    if (dynamic_cast<const Unary*>(&q.op) || dynamic_cast<const Retype*>(&q.op)) step->in_layouts[0] = step->out_layouts[0] = q.in_layouts[0];
    return step;
  }
};

}  // namespace

std::unique_ptr<Kernel> make_view_kernel(const OneDnnPtr&) { return std::make_unique<ViewKernel>(); }

}  // namespace onecard
