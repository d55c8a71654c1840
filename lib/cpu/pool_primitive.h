#pragma once
#include "lib/cpu/onednn.h"
#include "lib/ops/pool.h"

namespace onecard {

// Windows over the spatial axes of input 0, in the layout it has; `dst` of the same rank.
struct PoolShapes {
  Dims dst;
  Dims kernel, strides, dilations, pads_begin, pads_end;  // dilations counted from 0
};
// Whether the output may be left in a layout that is not plain.
enum class OutputLayout { any, plain };
Built build_pooling(const KernelQuery& q, const OneDnnPtr& library, dnnl::algorithm algorithm, const PoolShapes& shapes, OutputLayout output);
// The whole plane of every channel as one window.
PoolShapes whole_plane(const Dims& x);
// f32, or for the maximum also i8 and u8; rank 3 to 5; quantization kept.
Support pooling_fits(const KernelQuery& q, PoolFn fn);
dnnl::algorithm pooling_algorithm(PoolFn fn);

}  // namespace onecard
