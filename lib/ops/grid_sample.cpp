#include "lib/ops/grid_sample.h"

#include <algorithm>
#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/arithmetic.h"
#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"
#include "lib/ops/real_values.h"
#include "lib/ops/window.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "GridSample", 16}, {"com.microsoft", "GridSample", 1}};

// The elements of one axis that one coordinate reads; index -1 reads a zero.
struct AxisTaps {
  int count = 1;
  int64_t index[4] = {0, 0, 0, 0};
  double weight[4] = {1, 0, 0, 0};
};

double reflect(double at, double lo, double hi) {
  const double range = hi - lo;
  if (range <= 0) return lo;
  if (at >= lo && at <= hi) return at;
  const double beyond = at < lo ? lo - at : at - hi, turns = std::floor(beyond / range), rest = beyond - turns * range;
  const bool from_low = (at < lo) == (std::fmod(turns, 2.0) == 0);
  return from_low ? lo + rest : hi - rest;
}

int64_t tap_index(const GridSample& op, double at, int64_t extent, double lo, double hi) {
  const double last = static_cast<double>(extent - 1);
  if (op.padding == SamplePadding::zeros) return at >= 0 && at <= last ? static_cast<int64_t>(at) : -1;
  if (op.padding == SamplePadding::reflection) at = reflect(at, lo, hi);
  return static_cast<int64_t>(std::clamp(at, 0.0, last));
}

AxisTaps axis_taps(const GridSample& op, double coordinate, int64_t extent) {
  const double n = static_cast<double>(extent);
  const double lo = op.corners == Corners::centres ? 0.0 : -0.5, hi = op.corners == Corners::centres ? n - 1 : n - 0.5;
  double at = op.corners == Corners::centres ? (coordinate + 1) / 2 * (n - 1) : ((coordinate + 1) * n - 1) / 2;
  // A coordinate that is no number reads outside, as PyTorch has it; a huge one must not overflow an index.
  at = std::isnan(at) ? -1.0 : std::clamp(at, -1e15, 1e15);
  if (op.mode == SampleMode::nearest) at = std::nearbyint(at);
  if ((at < lo || at > hi) && op.padding == SamplePadding::border) at = std::clamp(at, 0.0, n - 1);
  if ((at < lo || at > hi) && op.padding == SamplePadding::reflection) at = reflect(at, lo, hi);
  AxisTaps taps;
  const double base = std::floor(at), t = at - base;
  if (op.mode == SampleMode::nearest) {
    taps.index[0] = tap_index(op, op.padding == SamplePadding::zeros ? at : std::trunc(at), extent, lo, hi);
  } else if (op.mode == SampleMode::linear) {
    taps = {2, {tap_index(op, base, extent, lo, hi), tap_index(op, base + 1, extent, lo, hi), 0, 0}, {1 - t, t, 0, 0}};
  } else {
    constexpr double a = -0.75;
    taps.count = 4;
    const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    const double weights[] = {far(t + 1), near(t), near(1 - t), far(2 - t)};
    for (int i = 0; i < 4; ++i) taps.index[i] = tap_index(op, base - 1 + i, extent, lo, hi), taps.weight[i] = weights[i];
  }
  return taps;
}

// The elements that the nearest mode picks, of any type; zeros, or empty strings, outside.
void pick_nearest(const GridSample& op, const Tensor& x, const std::vector<double>& grid, Tensor& y) {
  const Dims plane = spatial_extents(x.dims());
  const int64_t x_plane = element_count(plane), y_plane = element_count(spatial_extents(y.dims())), channels = x.dims()[1];
  const std::vector<int64_t> strides = row_major_strides(plane);
  const ElementCopier copy(x, y);
  for (int64_t i = 0; i < x.dims()[0] * y_plane; ++i) {
    int64_t from = 0;
    bool outside = false;
    for (size_t a = 0; a < plane.size(); ++a) {
      const int64_t index = axis_taps(op, grid[static_cast<size_t>(i) * plane.size() + plane.size() - 1 - a], plane[a]).index[0];
      outside = outside || index < 0;
      from += index * strides[a];
    }
    for (int64_t c = i / y_plane * channels; c < (i / y_plane + 1) * channels; ++c) {
      const int64_t to = c * y_plane + i % y_plane;
      if (outside) fill_elements(y, to, 1, nullptr);
      else copy(c * x_plane + from, to);
    }
  }
}

double read(const double* x, std::span<const AxisTaps> taps, std::span<const int64_t> strides, size_t axis) {
  double sum = 0;
  for (int i = 0; i < taps[axis].count; ++i) {
    const double w = taps[axis].weight[i];
    if (taps[axis].index[i] < 0 || w == 0) continue;
    const double* at = x + taps[axis].index[i] * strides[axis];
    sum += w * (axis + 1 == taps.size() ? *at : read(at, taps, strides, axis + 1));
  }
  return sum;
}

}  // namespace

std::vector<TensorType> GridSample::infer(const InferContext& in) const {
  const TensorType &x = in.type(0), &grid = in.type(1);
  const bool mixes = is_arithmetic_float(x.dtype) || is_byte_integer(x.dtype) || info(x.dtype).kind == DKind::complex;
  require(!x.quant && x.container == Container::tensor && (mixes || mode == SampleMode::nearest), ErrorKind::model,
          kSampleModeNames[static_cast<size_t>(mode)], " sampling of ", x);
  visit_float(grid.dtype, [](auto) {});
  if (!x.shape.has_rank() || !grid.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked())};
  const int64_t rank = x.shape.rank();
  require(rank >= 3 && grid.shape.rank() == rank, ErrorKind::model, "x and grid have shapes ", x.shape, " and ", grid.shape,
          "; they need the same rank of at least 3");
  const auto width = grid.shape[rank - 1].maybe();
  require(!width || *width == rank - 2, ErrorKind::model, "the grid's last extent is ", grid.shape[rank - 1].text(), " for ", rank - 2,
          " spatial axes");
  require(!x.shape[0].is_number() || !grid.shape[0].is_number() || x.shape[0] == grid.shape[0], ErrorKind::model, "x and grid have batches of ",
          x.shape[0], " and ", grid.shape[0]);
  Shape y = x.shape;
  for (int64_t i = 2; i < rank; ++i) y[i] = grid.shape[i - 1];
  return {TensorType(x.dtype, y)};
}

void GridSample::reference(Inputs in, Outputs out) const {
  const Dims x_dims = in[0]->dims(), plane = spatial_extents(x_dims);
  if (out[0].elements() == 0) return;
  const std::vector<double> grid = to_doubles(*in[1]);
  if (mode == SampleMode::nearest && !is_arithmetic_float(in[0]->dtype()) && element_count(plane) > 0)
    return pick_nearest(*this, *in[0], grid, out[0]);
  if (info(in[0]->dtype()).kind == DKind::complex) {
    const ComplexParts x = complex_parts(*in[0]);
    return deliver(out[0], complex_tensor(in[0]->dtype(),
                                          {std::move(evaluate(*this, {&x.real, in[1]})[0]), std::move(evaluate(*this, {&x.imaginary, in[1]})[0])}));
  }
  const std::vector<double> x = to_doubles(*in[0]);
  const bool whole = is_integer(in[0]->dtype());
  const int64_t x_plane = element_count(plane), y_plane = element_count(spatial_extents(out[0].dims())), channels = x_dims[1];
  if (x_plane == 0) return;
  const std::vector<int64_t> strides = row_major_strides(plane);
  parallel_for(x_dims[0] * y_plane, 16, [&](int64_t begin, int64_t end) {
    std::vector<AxisTaps> taps(plane.size());
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / y_plane, o = i % y_plane;
      for (size_t a = 0; a < plane.size(); ++a)
        taps[a] = axis_taps(*this, grid[static_cast<size_t>(i) * plane.size() + plane.size() - 1 - a], plane[a]);
      for (int64_t c = n * channels; c < (n + 1) * channels; ++c) {
        const double mixed = read(x.data() + c * x_plane, taps, strides, 0), v = whole ? std::trunc(mixed) : mixed;
        store_doubles(out[0], c * y_plane + o, {&v, 1});
      }
    }
  });
}

std::optional<OnnxForm> GridSample::to_onnx(const Node&) const {
  OnnxForm form{"GridSample", {}, ""};
  form.attributes["mode"] = std::string(kSampleModeNames[static_cast<size_t>(mode)]);
  form.attributes["padding_mode"] = std::string(kSamplePaddingNames[static_cast<size_t>(padding)]);
  form.attributes["align_corners"] = int64_t{corners == Corners::centres};
  return form;
}

const std::span<const OnnxName> GridSample::kOnnx{kNames};

std::vector<Value*> GridSample::from_onnx(const OnnxNode& node) {
  GridSample op;
  op.mode = onnx_enum<SampleMode>(node, "mode", "linear",
                                  {{"linear", SampleMode::linear},
                                   {"bilinear", SampleMode::linear},
                                   {"nearest", SampleMode::nearest},
                                   {"cubic", SampleMode::cubic},
                                   {"bicubic", SampleMode::cubic}});
  op.padding = onnx_enum<SamplePadding>(
      node, "padding_mode", "zeros", {{"zeros", SamplePadding::zeros}, {"border", SamplePadding::border}, {"reflection", SamplePadding::reflection}});
  op.corners = node.attr<int64_t>("align_corners", 0) != 0 ? Corners::centres : Corners::edges;
  return node.add_all(std::move(op), {node.needed(0), node.needed(1)});
}

DEFINE_OP(GridSample)

}  // namespace onecard
