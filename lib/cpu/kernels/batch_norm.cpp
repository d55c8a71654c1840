#include "lib/cpu/kernels.h"
#include "lib/ops/normalize.h"

namespace onecard {
namespace {

using dnnl::normalization_flags;

Built build(const BatchNorm& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = plain_f32(q); !s) return s;
  const int64_t rank = q.in[0].shape.rank();
  if (rank < 2 || rank > 5) return no("oneDNN normalizes ranks 2 to 5");
  const auto x = desc_of(q.in[0], q.in_layouts[0]), row = plain_desc({q.in[0].shape[1].number()}, dnnl::memory::data_type::f32);
  const auto flags = normalization_flags::use_global_stats | normalization_flags::use_scale | normalization_flags::use_shift;
  const dnnl::batch_normalization_forward::primitive_desc desc(library->engine, dnnl::prop_kind::forward_inference, x, x, op.epsilon, flags,
                                                               make_attr());
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_SRC, x, 0);
  constexpr int kRows[] = {DNNL_ARG_SCALE, DNNL_ARG_SHIFT, DNNL_ARG_MEAN, DNNL_ARG_VARIANCE};
  for (size_t i = 0; i < 4; ++i) step->in(kRows[i], row, i + 1, OneDnnStep::Asks::plain);
  step->out(DNNL_ARG_DST, x);
  step->in_place.push_back({0, 0});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_batch_norm_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<BatchNorm, build>>("onednn.batch_norm", library);
}

}  // namespace onecard
