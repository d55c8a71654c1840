#pragma once
#include <array>

#include "lib/cpu/integer_product.h"
#include "lib/ops/conv.h"

namespace onecard {

// A convolution's extents with three spatial axes, missing ones in front: what is read channels innermost.
struct PatchShape {
  int64_t images = 1, channels = 1, group = 1, outputs = 1;
  std::array<int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, strides{1, 1, 1}, dilations{1, 1, 1}, pads{0, 0, 0};
  int64_t group_channels() const { return channels / group; }
  int64_t group_outputs() const { return outputs / group; }
  int64_t positions() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t out_pixels() const { return images * out[0] * out[1] * out[2]; }
};
// At most three spatial axes.
PatchShape patch_shape(const ConvGeometry& geometry, const Dims& x, const Dims& w, const Dims& y, int64_t group);
PatchShape patch_shape(const Conv& op, const KernelQuery& q);
// What our kernels for a Conv by integers have in common: geometry, weights, epilogue, sums that stay in int32 where no code of x lies further
// than `x_reach` from its zero point; and the same for an x of integers, of its type.
Support integer_conv_fits(const Conv& op, const KernelQuery& q, int64_t x_reach);
Support byte_conv_fits(const Conv& op, const KernelQuery& q);

// The operands of such a kernel beside x and the weights: the bias, and everything of the output's extents with channels innermost; the residual
// may be written over.
void bind_integer_conv(Step& step, const KernelQuery& q, const IntegerFinish& finish);

// The rows of a convolution as a product, one per output pixel and group: what its window covers, kernel positions outermost, 0 outside.
std::shared_ptr<const IntegerRows> patch_rows(const PatchShape& shape, ByteSign sign);
// Calls f(pixel, image, origin) for output pixels [first, first + count): origin is the window's first input position along each axis.
template <class F>
void each_pixel(const PatchShape& s, int64_t first, int64_t count, F&& f) {
  std::array<int64_t, 3> at{};
  int64_t rest = first;
  for (size_t a = 3; a-- > 0; rest /= s.out[a]) at[a] = rest % s.out[a];
  int64_t image = rest;
  for (int64_t i = 0; i < count; ++i) {
    f(first + i, image, std::array{at[0] * s.strides[0] - s.pads[0], at[1] * s.strides[1] - s.pads[1], at[2] * s.strides[2] - s.pads[2]});
    size_t a = 3;
    while (a > 0 && ++at[a - 1] == s.out[a - 1]) at[--a] = 0;
    if (a == 0) ++image;
  }
}

// Whether these rows are just the pixels' channels, and the matrices that they are then, one per group.
bool reads_each_pixel_once(const PatchShape& shape);
ByteMatrices pixel_matrices(const PatchShape& shape, DType x);

// That product, for x of this type read and y written channels innermost; neither scales nor a finish are set.
IntegerProduct patch_product(const PatchShape& shape, DType x, RowForm form);
// Node input `index`, constant weights [outputs, channels of a group, kernel], packed group by group in the order of those rows.
PackedWeight packed_patches(size_t index, const PatchShape& shape, DType w, RowForm form);

}  // namespace onecard
