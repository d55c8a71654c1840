// Resize where oneDNN's resampling (half-pixel coordinates, edge repeated) reads the very elements with the weights that the op asks for.
#include "lib/ops/resize.h"

#include <algorithm>
#include <cmath>

#include "lib/cpu/kernels.h"

namespace onecard {
namespace {

using dnnl::memory;

// Where oneDNN reads for output position o.
float source_position(const ResizeAxis& a, int64_t o) {
  return (static_cast<float>(o) + 0.5f) * static_cast<float>(a.in) / static_cast<float>(a.out) - 0.5f;
}

bool same_nearest(const ResizeAxis& a) {
  for (int64_t o = 0; o < a.out; ++o) {
    int64_t wanted = -1;
    for (int64_t t = 0; t < a.taps; ++t)
      if (a.weights.empty() || a.weights[static_cast<size_t>(o * a.taps + t)] != 0) wanted = a.index[static_cast<size_t>(o * a.taps + t)];
    if (wanted != static_cast<int64_t>(std::roundf(source_position(a, o)))) return false;
  }
  return true;
}

bool same_linear(const ResizeAxis& a) {
  constexpr double kTolerance = 1e-5;
  for (int64_t o = 0; o < a.out; ++o) {
    const double at = std::clamp<double>(source_position(a, o), 0, static_cast<double>(a.in - 1));
    const auto left = static_cast<int64_t>(at);
    double on_left = 0, on_right = 0, elsewhere = 0;
    for (int64_t t = 0; t < a.taps; ++t) {
      const auto i = static_cast<size_t>(o * a.taps + t);
      (a.index[i] == left ? on_left : a.index[i] == left + 1 ? on_right : elsewhere) += std::abs(a.weights[i]);
    }
    if (elsewhere > kTolerance || std::abs(on_right - (at - static_cast<double>(left))) > kTolerance || std::abs(on_left + on_right - 1) > kTolerance)
      return false;
  }
  return true;
}

// Elements of a constant input, empty when absent; none when they are not known while planning.
std::optional<std::vector<double>> known(const KernelQuery& q, size_t input) {
  if (!q.has(input)) return std::vector<double>();
  const ConstTensor& c = q.constants[input];
  if (!c || c->is_deferred()) return std::nullopt;
  return to_doubles(*c);
}

Support types_fit(const Resize& op, const KernelQuery& q) {
  const TensorType& x = q.in[0];
  if (x.shape.rank() < 3 || x.shape.rank() > 5) return no("oneDNN resamples 1 to 3 spatial axes");
  if (op.mode == ResizeMode::cubic) return no("oneDNN has no cubic resampling");
  const bool bytes = op.mode == ResizeMode::nearest && (x.dtype == DType::i8 || x.dtype == DType::u8);
  if (!bytes && (x.dtype != DType::f32 || x.quant)) return no("not f32: " + x.text());
  return yes();
}

Support axes_fit(const Resize& op, const KernelQuery& q) {
  const auto roi = known(q, 1), scales = known(q, 2), sizes = known(q, 3);
  if (!roi || !scales || !sizes) return no("scales or sizes are not known while planning");
  const std::vector<int64_t> size_numbers(sizes->begin(), sizes->end());
  const auto axes = resize_axes(op, q.in[0].shape.numbers(), *roi, *scales, size_numbers);
  for (size_t i = 0; i < axes.size(); ++i) {
    const ResizeAxis& a = axes[i];
    if (a.is_identity()) continue;
    if (i < 2) return no("batch or channels are resized");
    if (!a.outside.empty() || !(op.mode == ResizeMode::nearest ? same_nearest(a) : same_linear(a)))
      return no("oneDNN reads other elements under these coordinates");
  }
  return yes();
}

Built build(const Resize& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = types_fit(op, q); !s) return s;
  if (const Support s = axes_fit(op, q); !s) return s;
  const auto type = dnnl_type(q.in[0].dtype);
  const auto algorithm = op.mode == ResizeMode::nearest ? dnnl::algorithm::resampling_nearest : dnnl::algorithm::resampling_linear;
  const memory::desc x = desc_of(q.in[0], q.in_layouts[0]);
  const dnnl::resampling_forward::primitive_desc desc(library->engine, dnnl::prop_kind::forward_inference, algorithm, x,
                                                      memory::desc(q.out[0].shape.numbers(), type, memory::format_tag::any), make_attr(), true);
  if (!desc) return no("oneDNN has no such resampling");
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_SRC, x, 0);
  step->out(DNNL_ARG_DST, desc.dst_desc());
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_resize_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Resize, build>>("onednn.resize", library);
}

}  // namespace onecard
