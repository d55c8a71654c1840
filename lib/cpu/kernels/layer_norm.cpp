#include "lib/cpu/kernels.h"
#include "lib/ops/normalize.h"

namespace onecard {
namespace {

using dnnl::normalization_flags;

Built build(const LayerNorm& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = plain_f32(q); !s) return s;
  if (!q.has(1)) return no("no scale");
  const Dims dims = q.in[0].shape.numbers();
  const int64_t rank = static_cast<int64_t>(dims.size());
  const int64_t axis = op.axis < 0 ? op.axis + rank : op.axis;
  Dims merged{1, 1};
  for (int64_t i = 0; i < rank; ++i) merged[i < axis ? 0 : 1] *= dims[static_cast<size_t>(i)];
  for (size_t i = 1; i < q.in.size(); ++i)
    if (q.has(i) && element_count(q.in[i].shape.numbers()) != merged[1]) return no("scale or bias is broadcast: " + q.in[i].text());
  const auto x = plain_desc(merged, dnnl::memory::data_type::f32), row = plain_desc({merged[1]}, dnnl::memory::data_type::f32);
  const auto flags = q.has(2) ? normalization_flags::use_scale | normalization_flags::use_shift : normalization_flags::use_scale;
  const dnnl::layer_normalization_forward::primitive_desc desc(library->engine, dnnl::prop_kind::forward_inference, x, x, op.epsilon, flags,
                                                               make_attr());
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_SRC, x, 0, OneDnnStep::Asks::plain);
  step->in(DNNL_ARG_SCALE, row, 1, OneDnnStep::Asks::plain);
  if (q.has(2)) step->in(DNNL_ARG_SHIFT, row, 2, OneDnnStep::Asks::plain);
  step->out(DNNL_ARG_DST, x, 0, OneDnnStep::Asks::plain);
  step->in_place.push_back({0, 0});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_layer_norm_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<LayerNorm, build>>("onednn.layer_norm", library);
}

}  // namespace onecard
