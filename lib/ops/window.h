#pragma once
#include <algorithm>

#include "lib/ops/conv.h"

namespace onecard {

// Largest kernel extent, stride, dilation or pad that is accepted: products of two stay far from overflow.
constexpr int64_t kWindowLimit = int64_t{1} << 30;

// A sliding window as an op states it; empty lists stand for their defaults.
struct Window {
  std::span<const int64_t> strides, dilations, pads;
  AutoPad auto_pad = AutoPad::notset;
  int64_t stride(size_t i) const { return strides.empty() ? 1 : strides[i]; }
  int64_t dilation(size_t i) const { return dilations.empty() ? 1 : dilations[i]; }
  int64_t pad_begin(size_t i) const { return pads.empty() || auto_pad != AutoPad::notset ? 0 : pads[i]; }
  int64_t pad_end(size_t i) const { return pads.empty() || auto_pad != AutoPad::notset ? 0 : pads[pads.size() / 2 + i]; }
};
// Raises model unless every list fits `spatial` axes, steps are positive and pads not negative.
void check_window(const Window& w, int64_t spatial);
// Raises model unless a known kernel extent is within bounds.
void check_kernel_extent(const Dim& kernel);
// The result's extent along axis i, rounded down; exact where the extents are symbolic. Raises model when the window does not fit.
Dim window_extent(const Window& w, size_t i, const Dim& in, const Dim& kernel);
// Everything in full, for concrete spatial extents.
ConvGeometry window_geometry(const Window& w, const Dims& spatial, const Dims& kernel);
// The extents after batch and channel.
Dims spatial_extents(const Dims& dims);

// The attributes as the ops keep them: lists that only repeat the default are left empty.
AutoPad onnx_auto_pad(const OnnxNode& node);
std::vector<int64_t> onnx_list(const OnnxNode& node, std::string_view key, int64_t otherwise);
// The attribute kernel_shape must be what the weight has from axis 2 on.
void check_kernel_shape(const OnnxNode& node, const Shape& weight);
void put_list(OnnxForm& form, const std::string& key, const std::vector<int64_t>& list);
void put_auto_pad(OnnxForm& form, AutoPad auto_pad);

// For one kernel position: all pairs (i, i * stride + offset), i inside the small grid and the other inside the large one. A
// convolution reads the large grid (x) into the small one (y), a transposed one the other way round.
struct WindowRows {
  struct Axis {
    int64_t count, small_step, large_step;
  };
  std::vector<Axis> axes;
  int64_t small = 0, large = 0;                       // element offsets of the first pair
  bool empty = false;
};
void window_rows(const ConvGeometry& g, const Dims& small, const Dims& large, const Dims& at, WindowRows& rows);

template <class F>
void visit_rows(const WindowRows& r, size_t axis, int64_t small, int64_t large, F& row) {
  const auto& a = r.axes[axis];
  if (axis + 1 == r.axes.size()) return row(small, large, a.count, a.small_step, a.large_step);
  for (int64_t i = 0; i < a.count; ++i) visit_rows(r, axis + 1, small + i * a.small_step, large + i * a.large_step, row);
}
// Calls row(small, large, count, small_step, large_step) for every innermost row of the pairs.
template <class F>
void for_rows(const WindowRows& r, F&& row) {
  if (!r.empty) visit_rows(r, 0, r.small, r.large, row);
}

// Steps `at` to the next index of `dims` in row-major order; false after the last.
inline bool next_index(Dims& at, const Dims& dims) {
  for (size_t i = dims.size(); i-- > 0;) {
    if (++at[i] < dims[i]) return true;
    at[i] = 0;
  }
  return false;
}

}  // namespace onecard
