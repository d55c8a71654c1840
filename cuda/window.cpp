#include "cuda/window.h"

namespace onecard::cuda {

std::optional<WindowShape> make_window(const ConvGeometry& g, const Dims& x, const Dims& y) {
  constexpr int64_t kFarthest = int64_t{1} << 30;
  const size_t spatial = g.kernel.size();
  if (spatial > 3) return std::nullopt;
  WindowShape w;
  int64_t volume = 1;
  for (size_t i = 0; i < spatial; ++i) {
    const size_t a = 3 - spatial + i;
    const int64_t reach = (y[i + 2] - 1) * g.strides[i] + (g.kernel[i] - 1) * g.dilations[i];
    volume *= g.kernel[i];
    if (reach > kFarthest || g.strides[i] > kFarthest || g.dilations[i] > kFarthest || g.pads_begin[i] > kFarthest || g.pads_end[i] > kFarthest || volume > kFarthest) return std::nullopt;
    w.in[a] = static_cast<int>(x[i + 2]);
    w.out[a] = static_cast<int>(y[i + 2]);
    w.kernel[a] = static_cast<int>(g.kernel[i]);
    w.stride[a] = static_cast<int>(g.strides[i]);
    w.dilation[a] = static_cast<int>(g.dilations[i]);
    w.pad[a] = static_cast<int>(g.pads_begin[i]);
    w.pad_end[a] = static_cast<int>(g.pads_end[i]);
  }
  for (size_t a = 0; a < 3; ++a) {
    w.in_plane *= w.in[a];
    w.out_plane *= w.out[a];
    w.volume *= w.kernel[a];
    w.out_by_axis[a] = Divider(w.out[a]);
    w.kernel_by_axis[a] = Divider(w.kernel[a]);
  }
  w.out_by_plane = Divider(w.out_plane);
  w.kernel_by_volume = Divider(w.volume);
  return w;
}

}  // namespace onecard::cuda
