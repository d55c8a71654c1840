#pragma once
#include "lib/cpu/epilogue.h"
#include "lib/ops/conv.h"

namespace onecard {

// A convolution's extents as oneDNN wants them: groups as a leading axis of the weights, dilations counted from 0.
struct ConvShapes {
  Dims src, weights, bias, dst, strides, dilations, pads_begin, pads_end;
  Dims weight_strides;  // of the plain constant under `weights`
  bool grouped = false;
};
ConvShapes conv_shapes(const ConvGeometry& geometry, const Dims& x, const Dims& w, const Dims& y, int64_t group);
double conv_flops(const ConvShapes& s);

// oneDNN's choice for these types, formats left to it.
dnnl::convolution_forward::primitive_desc make_conv(const OneDnn& library, const ConvShapes& s, dnnl::memory::data_type x, dnnl::memory::data_type w,
                                                    const dnnl::memory::desc& bias, dnnl::memory::data_type y, const NamedAttr& attr);

// Declines what no convolution kernel takes: no or too many spatial axes.
Support conv_fits(const KernelQuery& q);

// Binds the bias (input 2) as f32, packed where the constant is an integer that stands for it.
void bind_conv_bias(OneDnnStep& step, const KernelQuery& q, const dnnl::memory::desc& desc);
// Whether the bias, if any, can be had as f32.
Support conv_bias_fits(const KernelQuery& q);

// Per-channel (axis 0) or per-tensor scales of integer weights; none unless they are i8, or u8 around 128, and symmetric.
std::optional<std::vector<float>> symmetric_scales(const TensorType& w, int64_t axis);
// Integer weights as s8 in the format `to`, compensation sums included.
PackedWeight pack_s8(size_t input, const std::string& what, DType from_type, const dnnl::memory::desc& from, const dnnl::memory::desc& to);

}  // namespace onecard
