#include "lib/ops/softmax.h"

#include "lib/cpu/kernels.h"

namespace onecard {
namespace {

// Plain rows: [outer, axis, inner] around the axis.
Built build(const Softmax& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = plain_f32(q); !s) return s;
  const Dims dims = q.in[0].shape.numbers();
  const int64_t rank = static_cast<int64_t>(dims.size());
  if (rank == 0) return no("a scalar has no axis");
  const int64_t axis = op.axis < 0 ? op.axis + rank : op.axis;
  Dims merged{1, dims[static_cast<size_t>(axis)], 1};
  for (int64_t i = 0; i < rank; ++i)
    if (i != axis) merged[i < axis ? 0 : 2] *= dims[static_cast<size_t>(i)];
  if (merged[2] == 1) merged.pop_back();
  const auto x = plain_desc(merged, dnnl::memory::data_type::f32);
  const auto algorithm = op.form == SoftmaxForm::log ? dnnl::algorithm::softmax_log : dnnl::algorithm::softmax_accurate;
  const dnnl::softmax_forward::primitive_desc desc(library->engine, dnnl::prop_kind::forward_inference, algorithm, x, x, 1, make_attr());
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_SRC, x, 0, OneDnnStep::Asks::plain);
  step->out(DNNL_ARG_DST, x, 0, OneDnnStep::Asks::plain);
  step->in_place.push_back({0, 0});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_softmax_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Softmax, build>>("onednn.softmax", library);
}

}  // namespace onecard
