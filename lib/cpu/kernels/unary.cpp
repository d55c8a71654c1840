#include "lib/ops/unary.h"

#include "lib/cpu/epilogue.h"
#include "lib/cpu/kernels.h"

namespace onecard {
namespace {

Built build(const Unary& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = plain_f32(q); !s) return s;
  const auto eltwise = eltwise_of(op.f);
  if (!eltwise) return no("oneDNN has no eltwise for " + std::string(kFnNames[static_cast<size_t>(op.f.fn)]) + " with these parameters");
  const auto make = [&](const dnnl::memory::desc& x) {
    return dnnl::eltwise_forward::primitive_desc(library->engine, dnnl::prop_kind::forward_inference, eltwise->algorithm, x, x, eltwise->alpha,
                                                 eltwise->beta, make_attr(), true);
  };
  dnnl::memory::desc x = desc_of(q.in[0], q.in_layouts[0]);
  if (!q.in_layouts[0]) x = plain_desc({element_count(q.in[0].shape.numbers())}, dnnl::memory::data_type::f32);
  auto desc = make(x);
  if (is_slow(desc) && q.in_layouts[0]) {
    // Padding that the function would not keep at zero: oneDNN then has plain loops only.
    x = plain_desc({element_count(q.in[0].shape.numbers())}, dnnl::memory::data_type::f32);
    desc = make(x);
  }
  if (!desc) return no("oneDNN has no such eltwise");
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_SRC, x, 0);
  step->out(DNNL_ARG_DST, x);
  step->in_place.push_back({0, 0});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_unary_kernel(const OneDnnPtr& library) { return std::make_unique<OneDnnKernel<Unary, build>>("onednn.unary", library); }

}  // namespace onecard
