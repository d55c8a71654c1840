#include <algorithm>

#include "lib/cpu/kernels.h"
#include "lib/ops/data_ops.h"

namespace onecard {
namespace {

using dnnl::memory;

// Equal bytes mean equal values only under one quantization.
Support types_fit(const KernelQuery& q) {
  const TensorType& y = q.out[0];
  if (dnnl_type(y.dtype) == memory::data_type::undef) return no("oneDNN does not move " + std::string(info(y.dtype).name));
  for (const TensorType& x : q.in)
    if (x.dtype != y.dtype || (x.quant == nullptr) != (y.quant == nullptr) || (x.quant && *x.quant != *y.quant))
      return no("x and y differ in type: " + x.text());
  return yes();
}

// The blocked layout of the input with most bytes, or null.
Layout leading_layout(const KernelQuery& q) {
  Layout best;
  int64_t best_bytes = 0;
  for (size_t i = 0; i < q.in.size(); ++i)
    if (q.in_layouts[i] && q.in_layouts[i]->bytes() > best_bytes) {
      best = q.in_layouts[i];
      best_bytes = best->bytes();
    }
  return best;
}

// All inputs and the output in the format of `lead`, or plain; none when some extent does not go with the format.
std::optional<std::vector<memory::desc>> descs_like(const KernelQuery& q, const Layout& lead) {
  std::vector<memory::desc> all;
  for (const auto& types : {q.in, q.out})
    for (const TensorType& t : types) {
      const Dims dims = t.shape.numbers();
      const auto made = lead ? same_format(desc_of(t, lead), dims, dnnl_type(t.dtype)) : plain_desc(dims, dnnl_type(t.dtype));
      if (!made) return std::nullopt;
      all.push_back(*made);
    }
  return all;
}

Built build(const Concat& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = types_fit(q); !s) return s;
  const int64_t rank = q.out[0].shape.rank();
  const int axis = static_cast<int>(op.axis < 0 ? op.axis + rank : op.axis);
  for (const Layout& lead : {leading_layout(q), Layout()}) {
    auto descs = descs_like(q, lead);
    if (!descs) continue;
    const memory::desc dst = descs->back();
    descs->pop_back();
    const dnnl::concat::primitive_desc desc(library->engine, dst, axis, *descs, make_attr());
    if (lead && is_slow(desc)) continue;
    auto step = std::make_unique<OneDnnStep>(library, q);
    step->set(desc);
    for (size_t i = 0; i < descs->size(); ++i) step->in(DNNL_ARG_MULTIPLE_SRC + static_cast<int>(i), (*descs)[i], i);
    step->out(DNNL_ARG_DST, dst);
    return step;
  }
  return no("oneDNN has no such concat");
}

}  // namespace

std::unique_ptr<Kernel> make_concat_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Concat, build>>("onednn.concat", library);
}

}  // namespace onecard
