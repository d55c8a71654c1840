#include "lib/cpu/conv_primitive.h"

#include <algorithm>

namespace onecard {

using dnnl::memory;

ConvShapes conv_shapes(const ConvGeometry& g, const Dims& x, const Dims& w, const Dims& y, int64_t group) {
  ConvShapes s;
  s.src = x;
  s.dst = y;
  s.bias = {y[1]};
  s.weights = w;
  s.grouped = group > 1;
  if (s.grouped) {
    s.weights[0] = w[0] / group;
    s.weights.insert(s.weights.begin(), group);
  }
  s.weight_strides = row_major_strides(s.weights);
  s.strides = g.strides;
  for (const int64_t d : g.dilations) s.dilations.push_back(d - 1);
  s.pads_begin = g.pads_begin;
  s.pads_end = g.pads_end;
  return s;
}

double conv_flops(const ConvShapes& s) {
  double flops = 2;
  for (const int64_t d : s.weights) flops *= static_cast<double>(d);
  for (size_t i = 0; i < s.dst.size(); ++i)
    if (i != 1) flops *= static_cast<double>(s.dst[i]);
  return flops;
}

dnnl::convolution_forward::primitive_desc make_conv(const OneDnn& library, const ConvShapes& s, memory::data_type x, memory::data_type w,
                                                    const memory::desc& bias, memory::data_type y, const NamedAttr& attr) {
  const auto any = [](const Dims& dims, memory::data_type type) { return memory::desc(dims, type, memory::format_tag::any); };
  const memory::desc src = any(s.src, x), weights = any(s.weights, w), dst = any(s.dst, y);
  PrimitiveKey key("convolution " + attr.text);
  key.with(src)
      .with(weights)
      .with(bias)
      .with(dst)
      .with(s.strides)
      .with(s.dilations)
      .with(s.pads_begin)
      .with(s.pads_end)
      .with(attr.attr.get_post_ops());
  return library.known.get<dnnl::convolution_forward::primitive_desc>(key, [&] {
    return dnnl::convolution_forward::primitive_desc(library.engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src,
                                                     weights, bias, dst, s.strides, s.dilations, s.pads_begin, s.pads_end, attr.attr, true);
  });
}

Support conv_fits(const KernelQuery& q) {
  const int64_t rank = q.in[0].shape.rank();
  if (rank < 3 || rank > 5) return no("oneDNN convolves 1 to 3 spatial axes");
  return yes();
}

Support conv_bias_fits(const KernelQuery& q) {
  if (!q.has(2)) return yes();
  const TensorType& b = q.in[2];
  if (b.dtype == DType::f32 && !b.quant) return yes();
  if (b.quant && q.constants[2]) return yes();
  return no("bias " + b.text() + " is neither f32 nor a quantized constant");
}

void bind_conv_bias(OneDnnStep& step, const KernelQuery& q, const memory::desc& desc) {
  if (!q.has(2)) return;
  if (q.in[2].quant) step.weight(DNNL_ARG_BIAS, desc, pack_f32(2, q.in[2], desc, desc));
  else step.in(DNNL_ARG_BIAS, desc, 2, OneDnnStep::Asks::plain);
}

std::optional<std::vector<float>> symmetric_scales(const TensorType& w, int64_t axis) {
  if (!w.quant || w.quant->block != 0 || (w.dtype != DType::i8 && w.dtype != DType::u8)) return std::nullopt;
  const int32_t middle = w.dtype == DType::u8 ? 128 : 0;
  const auto& zeros = w.quant->zero_point;
  if (!std::all_of(zeros.begin(), zeros.end(), [&](int32_t z) { return z == middle; })) return std::nullopt;
  if (w.quant->scale.size() > 1 && (w.quant->axis != axis || static_cast<int64_t>(w.quant->scale.size()) != w.shape[axis].number()))
    return std::nullopt;
  return w.quant->scale;
}

PackedWeight pack_s8(size_t input, const std::string& what, DType from_type, const memory::desc& from, const memory::desc& to) {
  PackedWeight packed;
  packed.input = input;
  packed.bytes = static_cast<int64_t>(to.get_size());
  // The format alone does not say which compensation sums lie behind it: `what` does.
  packed.key = packed_key("s8 " + what, to);
  for (const auto s : from.get_strides()) packed.key += "|" + std::to_string(s);
  packed.pack = [from, to, from_type](const Tensor& plain, void* data) {
    if (from_type == DType::i8) return reorder_bytes(from, plain.raw(), to, data);
    Tensor flipped = plain.clone();
    for (std::byte& b : std::span(flipped.raw(), static_cast<size_t>(flipped.bytes()))) b ^= std::byte{0x80};
    reorder_bytes(from, flipped.raw(), to, data);
  };
  return packed;
}

}  // namespace onecard
