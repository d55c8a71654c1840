#pragma once
#include <optional>

#include "cuda/walk.h"
#include "lib/ops/conv.h"

namespace onecard::cuda {

// A window sliding over up to three spatial axes; missing ones stand in front with extents of 1.
struct WindowShape {
  int in[3] = {1, 1, 1}, out[3] = {1, 1, 1}, kernel[3] = {1, 1, 1}, stride[3] = {1, 1, 1}, dilation[3] = {1, 1, 1}, pad[3] = {}, pad_end[3] = {};
  int in_plane = 1, out_plane = 1, volume = 1;        // elements of a plane and of the kernel
  Divider out_by_plane, out_by_axis[3], kernel_by_volume, kernel_by_axis[3];
};

// For the full shapes of x and y; none with more than three spatial axes or positions beyond 32 bits.
std::optional<WindowShape> make_window(const ConvGeometry& g, const Dims& x, const Dims& y);

}  // namespace onecard::cuda
