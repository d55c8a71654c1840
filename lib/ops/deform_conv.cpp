#include "lib/ops/deform_conv.h"

#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/real_values.h"
#include "lib/ops/window.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "DeformConv", 19}};

Window window_of(const DeformConv& op) { return {op.strides, op.dilations, op.pads, AutoPad::notset}; }

void expect_extent(const Shape& s, int64_t axis, const Dim& wanted, const char* what) {
  require(!s.has_rank() || !s[axis].is_number() || !wanted.is_number() || s[axis] == wanted, ErrorKind::model, what, " has shape ", s, "; axis ",
          axis, " must be ", wanted);
}

double bilinear(const double* x, int64_t height, int64_t width, double y, double c) {
  if (!(y > -1 && c > -1 && y < static_cast<double>(height) && c < static_cast<double>(width))) return 0;
  const auto y0 = static_cast<int64_t>(std::floor(y)), c0 = static_cast<int64_t>(std::floor(c));
  const double fy = y - static_cast<double>(y0), fc = c - static_cast<double>(c0);
  const auto at = [&](int64_t row, int64_t column) {
    return row >= 0 && row < height && column >= 0 && column < width ? x[row * width + column] : 0.0;
  };
  return (1 - fy) * ((1 - fc) * at(y0, c0) + fc * at(y0, c0 + 1)) + fy * ((1 - fc) * at(y0 + 1, c0) + fc * at(y0 + 1, c0 + 1));
}

}  // namespace

std::vector<TensorType> DeformConv::infer(const InferContext& in) const {
  const Shape &x = in.shape(0), &w = in.shape(1), &offset = in.shape(2);
  visit_float(in.dtype(0), [](auto) {});
  for (size_t i = 0; i < 5; ++i)
    require(!in.has(i) || (in.dtype(i) == in.dtype(0) && !in.type(i).quant), ErrorKind::model, "input ", i, " is ",
            in.has(i) ? in.type(i).text() : "");
  for (size_t i = 0; i < 3; ++i)
    require(!in.shape(i).has_rank() || in.shape(i).rank() == 4, ErrorKind::model, "only two spatial axes are supported; input ", i, " has shape ",
            in.shape(i));
  require(group >= 1 && group <= kWindowLimit && offset_group >= 1 && offset_group <= kWindowLimit, ErrorKind::model, "group is ", group,
          ", offset_group ", offset_group);
  check_window(window_of(*this), 2);
  Shape y = Shape::unknown(4);
  if (x.has_rank()) y[0] = x[0];
  if (x.has_rank() && x[1].is_number())
    require(x[1].number() % offset_group == 0, ErrorKind::model, x[1], " channels do not divide into ", offset_group, " offset groups");
  if (!w.has_rank()) return {TensorType(in.dtype(0), y)};
  y[1] = w[0];
  if (w[0].is_number()) require(w[0].number() % group == 0, ErrorKind::model, w[0], " output channels do not divide into ", group, " groups");
  if (x.has_rank()) expect_extent(x, 1, w[1] * Dim(group), "x");
  for (int64_t i = 2; i < 4; ++i) {
    check_kernel_extent(w[i]);
    if (x.has_rank()) y[i] = window_extent(window_of(*this), static_cast<size_t>(i - 2), x[i], w[i]);
    expect_extent(offset, i, y[i], "offset");
    if (in.has(4)) expect_extent(in.shape(4), i, y[i], "mask");
  }
  const Dim positions = Dim(offset_group) * w[2] * w[3];
  expect_extent(offset, 0, y[0], "offset");
  expect_extent(offset, 1, positions * 2, "offset");
  if (in.has(3)) require(!in.shape(3).has_rank() || in.shape(3).rank() == 1, ErrorKind::model, "the bias has shape ", in.shape(3));
  if (in.has(3)) expect_extent(in.shape(3), 0, w[0], "the bias");
  if (in.has(4)) require(!in.shape(4).has_rank() || in.shape(4).rank() == 4, ErrorKind::model, "the mask has shape ", in.shape(4));
  if (in.has(4)) expect_extent(in.shape(4), 0, y[0], "mask"), expect_extent(in.shape(4), 1, positions, "mask");
  return {TensorType(in.dtype(0), y)};
}

void DeformConv::reference(Inputs in, Outputs out) const {
  const Dims xd = in[0]->dims(), wd = in[1]->dims(), yd = out[0].dims();
  if (out[0].elements() == 0) return;
  const auto numbers = [&](size_t i) { return i < in.size() && in[i] ? to_doubles(*in[i]) : std::vector<double>{}; };
  const std::vector<double> x = numbers(0), w = numbers(1), offset = numbers(2), bias = numbers(3), mask = numbers(4);
  const ConvGeometry g = window_geometry(window_of(*this), spatial_extents(xd), spatial_extents(wd));
  const int64_t cells = wd[2] * wd[3], plane = yd[2] * yd[3], channels = xd[1], outputs = wd[0];
  // Per batch and result row: what the kernel reads of every channel, then the weighted sums.
  parallel_for(yd[0] * yd[2], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> read(static_cast<size_t>(channels * cells));
    for (int64_t point = begin * yd[3]; point < end * yd[3]; ++point) {
      const int64_t n = point / plane, o = point % plane, row = o / yd[3], column = o % yd[3];
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t part = n * offset_group + c / (channels / offset_group);
        for (int64_t r = 0; r < cells; ++r) {
          const int64_t at = (part * cells + r) * plane + o, shift = (part * cells + r) * 2 * plane + o;
          const double y =
              static_cast<double>(row * g.strides[0] - g.pads_begin[0] + r / wd[3] * g.dilations[0]) + offset[static_cast<size_t>(shift)];
          const double h =
              static_cast<double>(column * g.strides[1] - g.pads_begin[1] + r % wd[3] * g.dilations[1]) + offset[static_cast<size_t>(shift + plane)];
          read[static_cast<size_t>(c * cells + r)] =
              bilinear(x.data() + (n * channels + c) * xd[2] * xd[3], xd[2], xd[3], y, h) * (mask.empty() ? 1.0 : mask[static_cast<size_t>(at)]);
        }
      }
      for (int64_t k = 0; k < outputs; ++k) {
        double sum = bias.empty() ? 0.0 : bias[static_cast<size_t>(k)];
        const double* from = read.data() + k / (outputs / group) * wd[1] * cells;
        for (int64_t i = 0; i < wd[1] * cells; ++i) sum += w[static_cast<size_t>(k * wd[1] * cells + i)] * from[i];
        store_doubles(out[0], (n * outputs + k) * plane + o, {&sum, 1});
      }
    }
  });
}

std::optional<OnnxForm> DeformConv::to_onnx(const Node&) const {
  OnnxForm form{"DeformConv", {}, ""};
  put_list(form, "strides", strides);
  put_list(form, "dilations", dilations);
  put_list(form, "pads", pads);
  if (group != 1) form.attributes["group"] = group;
  if (offset_group != 1) form.attributes["offset_group"] = offset_group;
  return form;
}

const std::span<const OnnxName> DeformConv::kOnnx{kNames};

std::vector<Value*> DeformConv::from_onnx(const OnnxNode& node) {
  DeformConv op;
  op.strides = onnx_list(node, "strides", 1);
  op.dilations = onnx_list(node, "dilations", 1);
  op.pads = onnx_list(node, "pads", 0);
  op.group = node.attr<int64_t>("group", 1);
  op.offset_group = node.attr<int64_t>("offset_group", 1);
  check_kernel_shape(node, node.needed(1)->type.shape);
  std::vector<Value*> in{node.needed(0), node.needed(1), node.needed(2), node.input(3), node.input(4)};
  while (!in.back()) in.pop_back();
  return node.add_all(std::move(op), std::move(in));
}

DEFINE_OP(DeformConv)

}  // namespace onecard
