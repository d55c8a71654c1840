#include "lib/cpu/scaled_reorder.h"

#include <algorithm>

namespace onecard {
namespace {

using dnnl::memory;

// Rank and format of the primitive: [before, axis, after] when scales run along an axis, one long row otherwise.
struct Form {
  memory::desc from, to;
  int mask = 0;
};

Form form_of(const KernelQuery& q, const Quantization& quant) {
  const auto from = dnnl_type(q.in[0].dtype), to = dnnl_type(q.out[0].dtype);
  const Dims dims = q.in[0].shape.numbers();
  if (q.in_layouts[0]) {
    const memory::desc x = desc_of(q.in[0], q.in_layouts[0]);
    if (const auto y = same_format(x, dims, to)) return {x, *y, quant.scale.size() == 1 ? 0 : 1 << quant.axis};
  }
  if (quant.scale.size() == 1) return {plain_desc({element_count(dims)}, from), plain_desc({element_count(dims)}, to), 0};
  Dims merged{1, 1, 1};
  for (size_t i = 0; i < dims.size(); ++i)
    merged[static_cast<int64_t>(i) < quant.axis ? 0 : static_cast<int64_t>(i) == quant.axis ? 1 : 2] *= dims[i];
  return {plain_desc(merged, from), plain_desc(merged, to), 2};
}

}  // namespace

Built build_scaled_reorder(const KernelQuery& q, const OneDnnPtr& library, const TensorType& quantized, int side) {
  if (!quantized.quant || (quantized.dtype != DType::i8 && quantized.dtype != DType::u8)) return no("not i8 or u8: " + quantized.text());
  const Quantization& quant = *quantized.quant;
  if (quant.block != 0) return no("quantized in blocks");
  if (quant.scale.size() > 1 && (quant.axis < 0 || quant.axis >= quantized.shape.rank())) return no("scales without an axis");
  const bool zeros = std::any_of(quant.zero_point.begin(), quant.zero_point.end(), [](int32_t z) { return z != 0; });
  if (zeros && quant.zero_point.size() > 1) return no("oneDNN takes one zero point");
  const Form form = form_of(q, quant);
  dnnl::primitive_attr attr = make_attr();
  attr.set_scales_mask(side, form.mask);
  if (zeros) attr.set_zero_points_mask(side, 0);
  const dnnl::reorder::primitive_desc desc(library->engine, form.from, library->engine, form.to, attr, true);
  if (!desc) return no("oneDNN has no such reorder");
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_FROM, form.from, 0);
  step->out(DNNL_ARG_TO, form.to);
  step->own(DNNL_ARG_ATTR_SCALES | side, quant.scale);
  if (zeros) step->own(DNNL_ARG_ATTR_ZERO_POINTS | side, std::vector<int32_t>{quant.zero_point[0]});
  return step;
}

}  // namespace onecard
