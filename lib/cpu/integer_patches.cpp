#include "lib/cpu/integer_patches.h"

#include <algorithm>
#include <array>

#include "lib/cpu/conv_primitive.h"
#include "lib/cpu/integer_weights.h"
#include "lib/cpu/layout.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

class PatchRows : public IntegerRows {
 public:
  PatchRows(const PatchShape& s, ByteSign sign) : s_(s), sign_(sign) { whole_line_ = s.group == 1 && s.dilations[2] == 1; }

  void fill(const IntegerOperands& with, int64_t index, int64_t first, int64_t count, const RowBlock& to) const override {
    const int64_t group_start = index * s_.group_channels(), image_elements = s_.in[0] * s_.in[1] * s_.in[2] * s_.channels;
    int64_t i = 0;
    each_pixel(s_, first, count, [&](int64_t, int64_t image, const std::array<int64_t, 3>& origin) {
      const PerTensor& codes = with.codes_at(image * image_elements);
      to.set(i, sign_, codes);
      fill_row(static_cast<const uint8_t*>(with.x) + image * image_elements + group_start, origin, {to.form, codes.zero, to.zero[i]}, to.row(i));
      ++i;
    });
  }

 private:
  // How the codes of a row are written: the zero point as it is stored, and as the row holds it.
  struct RowCodes {
    RowForm form;
    int32_t zero, row_zero;
  };
  static void* after(void* to, int64_t elements, RowForm form) { return static_cast<char*>(to) + elements * element_bytes(form); }

  void fill_row(const uint8_t* x, const std::array<int64_t, 3>& origin, const RowCodes& codes, void* to) const {
    const int64_t line = s_.kernel[2] * s_.group_channels();
    const bool inside = within(origin, 1) && within(origin, 2);
    for (int64_t a = 0; a < s_.kernel[0]; ++a) {
      const int64_t d = origin[0] + a * s_.dilations[0];
      if (inside && d >= 0 && d < s_.in[0]) {
        fill_inside(x + ((d * s_.in[1] + origin[1]) * s_.in[2] + origin[2]) * s_.channels, codes, to);
        to = after(to, s_.kernel[1] * line, codes.form);
        continue;
      }
      for (int64_t b = 0; b < s_.kernel[1]; ++b, to = after(to, line, codes.form)) {
        const int64_t h = origin[1] + b * s_.dilations[1];
        if (d < 0 || d >= s_.in[0] || h < 0 || h >= s_.in[1]) put_zeros(codes.form, line, codes.row_zero, to);
        else fill_line(x + (d * s_.in[1] + h) * s_.in[2] * s_.channels, origin[2], codes, to);
      }
    }
  }

  // Whether no position along this axis is padding.
  bool within(const std::array<int64_t, 3>& origin, size_t axis) const {
    return origin[axis] >= 0 && origin[axis] + (s_.kernel[axis] - 1) * s_.dilations[axis] < s_.in[axis];
  }

  // The two inner axes, none of whose positions is padding; x is the first.
  void fill_inside(const uint8_t* x, const RowCodes& codes, void* to) const {
    const int64_t c = s_.group_channels(), stride = s_.dilations[1] * s_.in[2] * s_.channels;
    if (whole_line_) return put_lines(codes.form, {x, stride, s_.kernel[1], s_.kernel[2] * c}, sign_, codes.zero, to);
    for (int64_t b = 0; b < s_.kernel[1]; ++b, to = after(to, s_.kernel[2] * c, codes.form))
      put_lines(codes.form, {x + b * stride, s_.dilations[2] * s_.channels, s_.kernel[2], c}, sign_, codes.zero, to);
  }

  // The positions along the innermost axis.
  void fill_line(const uint8_t* x, int64_t origin, const RowCodes& codes, void* to) const {
    const int64_t c = s_.group_channels(), kernel = s_.kernel[2];
    if (!whole_line_) {
      for (int64_t i = 0; i < kernel; ++i, to = after(to, c, codes.form)) {
        const int64_t w = origin + i * s_.dilations[2];
        if (w < 0 || w >= s_.in[2]) put_zeros(codes.form, c, codes.row_zero, to);
        else put_integers(codes.form, x + w * s_.channels, sign_, c, codes.zero, to);
      }
      return;
    }
    const int64_t low = std::clamp<int64_t>(-origin, 0, kernel), high = std::clamp<int64_t>(s_.in[2] - origin, low, kernel);
    put_integers(codes.form, x + (origin + low) * c, sign_, (high - low) * c, codes.zero, after(to, low * c, codes.form));
    if (low > 0) put_zeros(codes.form, low * c, codes.row_zero, to);
    if (high < kernel) put_zeros(codes.form, (kernel - high) * c, codes.row_zero, after(to, high * c, codes.form));
  }

  PatchShape s_;
  ByteSign sign_;
  bool whole_line_ = false;
};

void pack_patches(const PatchShape& s, RowForm form, const void* w, ByteSign sign, void* packed) {
  const int64_t c = s.group_channels(), positions = s.positions(), k = c * positions, n = s.group_outputs();
  const auto* from = static_cast<const uint8_t*>(w);
  std::vector<uint8_t> turned(static_cast<size_t>(n * k));
  for (int64_t g = 0; g < s.group; ++g) {
    for (int64_t o = 0; o < n; ++o)
      for (int64_t i = 0; i < c; ++i)
        for (int64_t p = 0; p < positions; ++p) turned[static_cast<size_t>(o * k + p * c + i)] = from[((g * n + o) * c + i) * positions + p];
    pack_integers(form, {turned.data(), sign, 1, k}, k, n, static_cast<char*>(packed) + g * packed_integer_bytes(form, k, n));
  }
}

}  // namespace

PatchShape patch_shape(const ConvGeometry& g, const Dims& x, const Dims& w, const Dims& y, int64_t group) {
  PatchShape s;
  s.images = x[0], s.channels = x[1], s.group = group, s.outputs = w[0];
  const size_t axes = g.kernel.size(), skip = 3 - axes;
  for (size_t i = 0; i < axes; ++i) {
    s.in[skip + i] = x[i + 2], s.out[skip + i] = y[i + 2], s.kernel[skip + i] = g.kernel[i];
    s.strides[skip + i] = g.strides[i], s.dilations[skip + i] = g.dilations[i], s.pads[skip + i] = g.pads_begin[i];
  }
  return s;
}

PatchShape patch_shape(const Conv& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), w = q.in[1].shape.numbers();
  return patch_shape(conv_geometry(op, x, w), x, w, q.out[0].shape.numbers(), op.group);
}

Support integer_conv_fits(const Conv& op, const KernelQuery& q, int64_t x_reach) {
  for (const Support& s : {operands_fit(q), conv_fits(q), integer_finish_fits(q, op.activation, 3), integer_bias_fits(q, 2)})
    if (!s) return s;
  if (!q.constants[1]) return no("w is not constant");
  const auto w = byte_weights(q.in[1], 0, q.out[0].shape[1].number());
  if (!w) return no("w is not i8 or u8 quantized per tensor or output channel: " + q.in[1].text());
  const PatchShape s = patch_shape(op, q);
  return sums_fit(x_reach, *w, s.group_channels() * s.positions());
}

Support byte_conv_fits(const Conv& op, const KernelQuery& q) {
  if (!per_tensor(q.in[0])) return no("x is not i8 or u8 quantized per tensor: " + q.in[0].text());
  return integer_conv_fits(op, q, code_reach(q.in[0]));
}

std::shared_ptr<const IntegerRows> patch_rows(const PatchShape& shape, ByteSign sign) { return std::make_shared<PatchRows>(shape, sign); }

bool reads_each_pixel_once(const PatchShape& s) {
  return s.positions() == 1 && s.in == s.out && s.strides == std::array<int64_t, 3>{1, 1, 1} && s.pads == std::array<int64_t, 3>{0, 0, 0};
}

ByteMatrices pixel_matrices(const PatchShape& s, DType x) {
  ByteMatrices pixels{sign_of(x), {}, s.channels, 1};
  for (int64_t g = 0; g < s.group; ++g) pixels.offset.push_back(g * s.group_channels());
  return pixels;
}

IntegerProduct patch_product(const PatchShape& s, DType x, RowForm form) {
  IntegerProduct p;
  p.form = form;
  p.count = s.group, p.rows = s.out_pixels(), p.k = s.group_channels() * s.positions(), p.n = s.group_outputs();
  p.y_stride = s.outputs;
  for (int64_t g = 0; g < s.group; ++g) {
    p.w.push_back(g * packed_integer_bytes(form, p.k, p.n));
    p.y.push_back(g * p.n);
    p.column.push_back(g * p.n);
  }
  p.left = reads_each_pixel_once(s) ? matrix_rows(pixel_matrices(s, x), p.k) : patch_rows(s, sign_of(x));
  return p;
}

PackedWeight packed_patches(size_t index, const PatchShape& s, DType w, RowForm form) {
  PackedWeight packed;
  packed.input = index;
  packed.key = panels_key(form) + ", channels innermost, groups " + std::to_string(s.group);
  packed.bytes = s.group * packed_integer_bytes(form, s.group_channels() * s.positions(), s.group_outputs());
  packed.pack = [s, form, sign = sign_of(w)](const Tensor& plain, void* to) { pack_patches(s, form, plain.raw(), sign, to); };
  return packed;
}

void bind_integer_conv(Step& step, const KernelQuery& q, const IntegerFinish& finish) {
  bind_integer_bias(step, q, 2, finish);
  step.in_layouts[0] = channels_last(q.in[0]);
  step.out_layouts[0] = channels_last(q.out[0]);
  if (!q.has(3)) return;
  step.in_layouts[3] = channels_last(q.in[3]);
  allow_in_place(step, q, {3});
}

}  // namespace onecard
