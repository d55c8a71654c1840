#include "lib/ops/pool_window.h"

#include <cmath>

#include <limits>

namespace onecard {

namespace {

// A pooling window has no weights that would bound its size.
constexpr int64_t kPoolWindowLimit = int64_t{1} << 24;

// ONNX drops a last window that starts in the padding at the end, so windows start below in + begin: the smaller of two round-ups.
Dim extent_rounded_up(const PoolWindow& w, size_t i, const Dim& in) {
  const int64_t s = w.window.stride(i), window = (w.kernel[i] - 1) * w.window.dilation(i) + 1;
  const int64_t end = std::min<int64_t>(0, w.window.pad_end(i) - window + s);
  const Dim out = ceil_div(in + Dim(w.window.pad_begin(i) + end), s);
  if (const auto o = out.maybe()) require(*o >= 1 || in == Dim(0), ErrorKind::model, "a window of ", w.kernel[i], " does not fit extent ", in);
  return out;
}

// A window that does not fit by less than a stride is cut off at the end: onnx's shape inference rounds its quotient towards zero, and so do
// the engines that models were made with.
Dim extent_rounded_down(const PoolWindow& w, size_t i, const Dim& in) {
  const int64_t window = (w.kernel[i] - 1) * w.window.dilation(i) + 1;
  if (const auto n = in.maybe(); n && *n > 0 && w.window.auto_pad == AutoPad::notset) {
    const int64_t room = *n + w.window.pad_begin(i) + w.window.pad_end(i) - window;
    if (room < 0 && room > -w.window.stride(i)) return 1;
  }
  return window_extent(w.window, i, in, w.kernel[i]);
}

}  // namespace

Shape pool_shape(const PoolWindow& w, const Shape& x) {
  const auto spatial = static_cast<int64_t>(w.kernel.size());
  require(spatial >= 1, ErrorKind::model, "a pooling needs a kernel_shape");
  check_window(w.window, spatial);
  int64_t positions = 1;
  for (size_t i = 0; i < w.kernel.size(); ++i) {
    check_kernel_extent(w.kernel[i]);
    positions *= w.kernel[i];
    require(positions <= kPoolWindowLimit, ErrorKind::model, "the pooling window has more than ", kPoolWindowLimit, " elements");
    const int64_t window = (w.kernel[i] - 1) * w.window.dilation(i) + 1;
    require(w.window.pad_begin(i) < window && w.window.pad_end(i) < window, ErrorKind::model, "a pad is as large as the pooling window of ", window);
  }
  if (!x.has_rank()) return Shape::unknown(spatial + 2);
  require(x.rank() == spatial + 2, ErrorKind::model, "kernel_shape has ", spatial, " numbers for an input of shape ", x);
  Shape y = x;
  for (int64_t i = 0; i < spatial; ++i) {
    const bool up = w.rounding == Rounding::up && w.window.auto_pad == AutoPad::notset;
    y[i + 2] = up ? extent_rounded_up(w, static_cast<size_t>(i), x[i + 2]) : extent_rounded_down(w, static_cast<size_t>(i), x[i + 2]);
  }
  return y;
}

ConvGeometry pool_base_geometry(const PoolWindow& w, const Dims& x) {
  return window_geometry(w.window, spatial_extents(x), Dims(w.kernel.begin(), w.kernel.end()));
}

ConvGeometry pool_geometry(const Pool& op, const Dims& x) {
  const PoolWindow w = pool_window(op);
  ConvGeometry g = pool_base_geometry(w, x);
  const Dims y = pool_shape(w, Shape::of(x)).numbers();
  for (size_t i = 0; i < g.kernel.size(); ++i) {
    const int64_t reach = (y[i + 2] - 1) * g.strides[i] + (g.kernel[i] - 1) * g.dilations[i] + 1;
    g.pads_end[i] = std::max(g.pads_end[i], reach - x[i + 2] - g.pads_begin[i]);
  }
  return g;
}

TensorType averaged_type(PoolFn fn, const TensorType& x, const QuantizationPtr& output, DType output_dtype) {
  if (!output) {
    require(!x.quant && is_float(x.dtype), ErrorKind::model, "average and Lp pooling expect floats, got ", x);
    return TensorType(x.dtype, Shape());
  }
  const bool one_scale = x.quant && x.quant->axis < 0 && x.quant->scale.size() == 1 && output->axis < 0;
  require(fn != PoolFn::lp && one_scale, ErrorKind::model, "a quantized average needs x with one scale, got ", x);
  require_quantization(TensorType(output_dtype, Shape::unranked()), output_dtype, *output);
  return TensorType(output_dtype, Shape(), output);
}

void check_max_type(const TensorType& x) {
  const bool small_integer = is_integer(x.dtype) && info(x.dtype).bits >= 8 && info(x.dtype).bits <= 32;
  if (!small_integer) visit_float(x.dtype, [](auto) {});
}

double lowest_number(DType t) {
  if (is_float(t)) return -std::numeric_limits<double>::infinity();
  return info(t).kind == DKind::sint ? -static_cast<double>(int64_t{1} << (info(t).bits - 1)) : 0.0;
}

int64_t onnx_norm(const OnnxNode& node) {
  if (node.opset >= 2) return node.attr<int64_t>("p", 2);
  const float p = node.attr("p", 2.0f);
  require(p >= 1 && p <= 1024 && p == std::floor(p), ErrorKind::model, "the norm's p is ", p, "; only whole numbers are supported");
  return static_cast<int64_t>(p);
}

}  // namespace onecard
