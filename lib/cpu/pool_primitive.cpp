#include "lib/cpu/pool_primitive.h"

namespace onecard {

using dnnl::algorithm;
using dnnl::memory;

algorithm pooling_algorithm(PoolFn fn) {
  if (fn == PoolFn::max) return algorithm::pooling_max;
  return fn == PoolFn::average ? algorithm::pooling_avg_exclude_padding : algorithm::pooling_avg_include_padding;
}

Support pooling_fits(const KernelQuery& q, PoolFn fn) {
  const TensorType &x = q.in[0], &y = q.out[0];
  if (fn == PoolFn::lp) return no("oneDNN has no Lp pooling");
  if (x.shape.rank() < 3 || x.shape.rank() > 5) return no("oneDNN pools 1 to 3 spatial axes");
  if (x.dtype != y.dtype || (x.quant == nullptr) != (y.quant == nullptr) || (x.quant && *x.quant != *y.quant)) return no("x and y differ in type");
  if (x.dtype == DType::f32 && !x.quant) return yes();
  if (fn == PoolFn::max && (x.dtype == DType::i8 || x.dtype == DType::u8)) return yes();
  return no("not f32: " + x.text());
}

PoolShapes whole_plane(const Dims& x) {
  PoolShapes s;
  s.dst = {x[0], x[1]};
  for (size_t i = 2; i < x.size(); ++i) {
    s.dst.push_back(1);
    s.kernel.push_back(x[i]);
    s.strides.push_back(1);
    s.dilations.push_back(0);
    s.pads_begin.push_back(0);
    s.pads_end.push_back(0);
  }
  return s;
}

Built build_pooling(const KernelQuery& q, const OneDnnPtr& library, algorithm algorithm, const PoolShapes& s, OutputLayout output) {
  const auto type = dnnl_type(q.in[0].dtype);
  const memory::desc dst = output == OutputLayout::plain ? plain_desc(s.dst, type) : memory::desc(s.dst, type, memory::format_tag::any);
  const auto make = [&](const memory::desc& src) {
    return dnnl::pooling_forward::primitive_desc(library->engine, dnnl::prop_kind::forward_inference, algorithm, src, dst, s.strides, s.kernel,
                                                 s.dilations, s.pads_begin, s.pads_end, make_attr(), true);
  };
  memory::desc src = desc_of(q.in[0], q.in_layouts[0]);
  auto desc = make(src);
  if (is_slow(desc)) {
    // Compiled code exists for channels innermost; a small reorder in front is cheaper than plain loops.
    const bool last = q.in[0].dtype != DType::f32;
    constexpr memory::format_tag kBlocked[] = {memory::format_tag::nCw16c, memory::format_tag::nChw16c, memory::format_tag::nCdhw16c};
    constexpr memory::format_tag kLast[] = {memory::format_tag::nwc, memory::format_tag::nhwc, memory::format_tag::ndhwc};
    const size_t spatial = s.kernel.size() - 1;
    const memory::desc other(q.in[0].shape.numbers(), type, last ? kLast[spatial] : kBlocked[spatial]);
    auto faster = make(other);
    if (faster && !is_slow(faster)) {
      desc = std::move(faster);
      src = other;
    }
  }
  if (!desc) return no("oneDNN has no such pooling");
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_SRC, src, 0);
  step->out(DNNL_ARG_DST, desc.dst_desc(), 0, output == OutputLayout::plain ? OneDnnStep::Asks::plain : OneDnnStep::Asks::layout);
  return step;
}

}  // namespace onecard
