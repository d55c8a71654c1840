#include "lib/ops/resize.h"

#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/quantize.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "Resize", 10}, {"", "Upsample", 1}};
constexpr double kLargestExtent = 1e15;

// Whether an optional list input is there and not empty; opset 11 wrote an empty list for "not given".
bool given(const InferContext& in, size_t i) { return in.has(i) && !(in.shape(i).has_rank() && in.shape(i).rank() == 1 && in.shape(i)[0] == Dim(0)); }

// The axes of x that are resized, 0 and up; raises model for axes outside x or named twice.
std::vector<int64_t> resized_axes(const Resize& op, int64_t rank) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < rank && op.axes.empty(); ++i) out.push_back(i);
  for (int64_t a : op.axes) {
    require(a >= -rank && a < rank, ErrorKind::model, "axis ", a, " is outside an input of rank ", rank);
    const int64_t axis = a < 0 ? a + rank : a;
    for (int64_t seen : out) require(seen != axis, ErrorKind::model, "axis ", a, " is named twice");
    out.push_back(axis);
  }
  return out;
}

void check_length(const InferContext& in, size_t i, size_t length, const char* what) {
  const Shape& s = in.shape(i);
  if (!s.has_rank()) return;
  require(s.rank() == 1 && (!s[0].is_number() || s[0] == Dim(static_cast<int64_t>(length))), ErrorKind::model, what, " has shape ", s, " where ",
          length, " numbers are needed");
}

// floor(in * scale) in single precision, as ONNX's own shape inference has it; exact where the extent is symbolic and the factor allows.
Dim scaled_extent(const Dim& in, double scale) {
  require(std::isfinite(scale) && scale > 0, ErrorKind::model, "a scale is ", scale, "; it must be positive");
  if (const auto n = in.maybe()) {
    const float out = std::floor(static_cast<float>(*n) * static_cast<float>(scale));
    require(out < kLargestExtent, ErrorKind::model, "an extent of ", *n, " times ", scale, " is too large");
    return static_cast<int64_t>(out);
  }
  if (scale == std::floor(scale) && scale < kLargestExtent) return in * Dim(static_cast<int64_t>(scale));
  int exponent = 0;
  const bool power_of_two = std::frexp(scale, &exponent) == 0.5;
  return power_of_two && exponent > -40 ? in / Dim(int64_t{1} << (1 - exponent)) : Dim::unknown();
}

void extents_from_scales(const InferContext& in, const std::vector<int64_t>& axes, Shape& y) {
  const ConstTensor scales = in.constant(2);
  if (scales)
    require(scales->elements() == static_cast<int64_t>(axes.size()), ErrorKind::model, "scales has ", scales->elements(), " numbers for ",
            axes.size(), " axes");
  for (size_t i = 0; i < axes.size(); ++i) y[axes[i]] = scales ? scaled_extent(y[axes[i]], scales->at(static_cast<int64_t>(i))) : Dim::unknown();
}

void extents_from_sizes(const Resize& op, const InferContext& in, const std::vector<int64_t>& axes, Shape& y) {
  const auto sizes = in.contents(3);
  const auto numbers = in.ints(3);
  if (sizes) require(sizes->size() == axes.size(), ErrorKind::model, "sizes has ", sizes->size(), " numbers for ", axes.size(), " axes");
  if (numbers)
    for (int64_t n : *numbers) require(n >= 0 && static_cast<double>(n) < kLargestExtent, ErrorKind::model, "sizes holds ", n);
  if (op.aspect_ratio != AspectRatio::stretch) {
    double scale = 0;
    bool known = numbers.has_value();
    for (size_t i = 0; i < axes.size(); ++i) known = known && y[axes[i]].is_number() && y[axes[i]].number() > 0;
    for (size_t i = 0; i < axes.size() && known; ++i) {
      const double s = static_cast<double>((*numbers)[i]) / static_cast<double>(y[axes[i]].number());
      scale = i == 0 ? s : op.aspect_ratio == AspectRatio::not_larger ? std::min(scale, s) : std::max(scale, s);
    }
    for (int64_t a : axes) {
      if (known)
        require(scale * static_cast<double>(y[a].number()) < kLargestExtent, ErrorKind::model, "an extent of ", y[a], " times ", scale,
                " is too large");
      y[a] = known ? Dim(static_cast<int64_t>(scale * static_cast<double>(y[a].number()) + 0.5)) : Dim::unknown();
    }
    return;
  }
  for (size_t i = 0; i < axes.size(); ++i) y[axes[i]] = sizes ? (*sizes)[i] : Dim::unknown();
}

}  // namespace

std::vector<TensorType> Resize::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  require(given(in, 2) != given(in, 3), ErrorKind::model, "exactly one of scales and sizes must be given");
  require(x.container == Container::tensor, ErrorKind::model, "cannot resize ", x);
  require(mode == ResizeMode::nearest || (!x.quant && (is_float(x.dtype) || is_integer(x.dtype))), ErrorKind::model,
          "linear and cubic resize expect plain numbers, got ", x);
  require(mode != ResizeMode::nearest || antialias == Antialias::no, ErrorKind::model, "antialias is for linear and cubic");
  require(coordinates != Coordinates::tf_crop_and_resize || given(in, 1), ErrorKind::model, "tf_crop_and_resize needs a roi");
  TensorType y = x;
  if (!x.shape.has_rank()) return {y};
  const auto resized = resized_axes(*this, x.shape.rank());
  if (given(in, 1) && coordinates == Coordinates::tf_crop_and_resize) check_length(in, 1, 2 * resized.size(), "roi");
  check_length(in, given(in, 2) ? 2 : 3, resized.size(), given(in, 2) ? "scales" : "sizes");
  if (given(in, 2)) extents_from_scales(in, resized, y.shape);
  else extents_from_sizes(*this, in, resized, y.shape);
  for (int64_t a : resized) {
    const auto from = x.shape[a].maybe(), to = y.shape[a].maybe();
    require(!from || !to || *from > 0 || *to == 0, ErrorKind::model, "cannot make extent ", y.shape[a], " of an empty axis ", a);
  }
  return {y};
}

namespace {

// Elements picked one for one, of any type; what has no number for the extrapolated ones leaves them empty.
void pick_nearest(const Tensor& x, const std::vector<ResizeAxis>& axes, float extrapolation, Tensor& y) {
  const ElementCopier copy(x, y);
  const bool numbers = is_float(x.dtype()) || is_integer(x.dtype()) || x.dtype() == DType::boolean;
  const auto strides = row_major_strides(x.dims());
  Dims at(axes.size(), 0);
  for (int64_t i = 0; i < y.elements(); ++i) {
    int64_t from = 0;
    bool outside = false;
    for (size_t a = 0; a < axes.size(); ++a) {
      const auto o = static_cast<size_t>(at[a]);
      from += axes[a].index[o] * strides[a];
      outside = outside || (!axes[a].outside.empty() && axes[a].outside[o]);
    }
    if (!outside) copy(from, i);
    else if (numbers) y.set(i, extrapolation);
    else fill_elements(y, i, 1, nullptr);
    for (size_t a = axes.size(); a-- > 0 && ++at[a] == axes[a].out;) at[a] = 0;
  }
}

// Resamples the middle axis of x[outer, in, inner].
std::vector<double> resample(const std::vector<double>& x, const ResizeAxis& axis, int64_t outer, int64_t inner, double extrapolation) {
  std::vector<double> y(static_cast<size_t>(outer * axis.out * inner), 0.0);
  parallel_for(outer * axis.out, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t o = row % axis.out;
      double* to = y.data() + row * inner;
      if (!axis.outside.empty() && axis.outside[static_cast<size_t>(o)]) {
        std::fill(to, to + inner, extrapolation);
        continue;
      }
      for (int64_t t = o * axis.taps; t < (o + 1) * axis.taps; ++t) {
        const double w = axis.weights[static_cast<size_t>(t)];
        const double* from = x.data() + (row / axis.out * axis.in + axis.index[static_cast<size_t>(t)]) * inner;
        for (int64_t i = 0; w != 0 && i < inner; ++i) to[i] += w * from[i];
      }
    }
  });
  return y;
}

}  // namespace

void Resize::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const auto input = [&](size_t i) { return i < in.size() && in[i] && in[i]->elements() > 0 ? in[i] : nullptr; };
  const std::vector<double> roi = input(1) ? to_doubles(*in[1]) : std::vector<double>{},
                            scales = input(2) ? to_doubles(*in[2]) : std::vector<double>{};
  const std::vector<int64_t> sizes = input(3) ? to_ints(*in[3]) : std::vector<int64_t>{};
  if (out[0].elements() == 0) return;
  const auto axes = resize_axes(*this, x.dims(), roi, scales, sizes);
  for (size_t a = 0; a < axes.size(); ++a)
    require(axes[a].out == out[0].dims()[a], ErrorKind::internal, "resize: extent ", axes[a].out, " inferred as ", out[0].dims()[a]);
  if (mode == ResizeMode::nearest) return pick_nearest(x, axes, extrapolation, out[0]);
  std::vector<double> values = to_doubles(x);
  int64_t outer = 1, inner = x.elements();
  for (const ResizeAxis& axis : axes) {
    inner /= axis.in;
    if (!axis.is_identity()) values = resample(values, axis, outer, inner, extrapolation);
    outer *= axis.out;
  }
  store_doubles(out[0], 0, values);
}

// Of integers: as one of floats between dequantize and quantize.
std::vector<Value*> Resize::decompose(Graph& graph, Node& node) const {
  const TensorType& y = node.output()->type;
  if (!node.inputs[0]->type.quant || !y.quant) return {};
  const NodesBefore before(graph, node);
  Quantize back;
  back.quant = y.quant;
  back.dtype = y.dtype;
  std::vector<Value*> in = node.inputs;
  in[0] = before.add(Dequantize(), {in[0]});
  return {before.add(back, {before.add(Resize(*this), std::move(in))})};
}

std::optional<OnnxForm> Resize::to_onnx(const Node& node) const {
  if (node.inputs[0]->type.quant || coordinates == Coordinates::tf_half_pixel_for_nn) return std::nullopt;
  OnnxForm form{"Resize", {}, ""};
  form.attributes["mode"] = std::string(kResizeModeNames[static_cast<size_t>(mode)]);
  form.attributes["coordinate_transformation_mode"] = std::string(kCoordinatesNames[static_cast<size_t>(coordinates)]);
  form.attributes["nearest_mode"] = std::string(kNearestModeNames[static_cast<size_t>(nearest_mode)]);
  if (aspect_ratio != AspectRatio::stretch)
    form.attributes["keep_aspect_ratio_policy"] = std::string(kAspectRatioNames[static_cast<size_t>(aspect_ratio)]);
  if (antialias == Antialias::yes) form.attributes["antialias"] = int64_t{1};
  if (outside == Outside::exclude) form.attributes["exclude_outside"] = int64_t{1};
  if (!axes.empty()) form.attributes["axes"] = axes;
  form.attributes["cubic_coeff_a"] = cubic_a;
  form.attributes["extrapolation_value"] = extrapolation;
  return form;
}

const std::span<const OnnxName> Resize::kOnnx{kNames};

namespace {

template <class E>
E named(const OnnxNode& node, std::string_view key, E otherwise) {
  const auto text = node.attr<std::string>(key, std::string(kEnumNames<E>[static_cast<size_t>(otherwise)]));
  for (size_t i = 0; i < kEnumNames<E>.size(); ++i)
    if (kEnumNames<E>[i] == text) return static_cast<E>(i);
  fail(ErrorKind::model, "attribute '", key, "' is '", text, "', which Resize does not know");
}

// An optional list that is there but empty counts as absent.
Value* unless_empty(Value* v) { return v && v->type.shape.has_rank() && v->type.shape.rank() == 1 && v->type.shape[0] == Dim(0) ? nullptr : v; }

// The scales of an Upsample, in the form of its opset.
Value* upsample_scales(const OnnxNode& node) {
  if (Value* scales = node.input(1)) return scales;
  const auto list = node.opset >= 7 ? node.needed_attr<std::vector<float>>("scales")
                                    : std::vector<float>{1, 1, node.needed_attr<float>("height_scale"), node.needed_attr<float>("width_scale")};
  return node.constant(Tensor::of({static_cast<int64_t>(list.size())}, list));
}

}  // namespace

std::vector<Value*> Resize::from_onnx(const OnnxNode& node) {
  Resize op;
  if (node.op_type == "Upsample" || node.opset < 11) {
    const auto mode = node.attr<std::string>("mode", "nearest");
    require(mode == "nearest" || mode == "linear", ErrorKind::model, "mode '", mode, "'");
    op.mode = mode == "nearest" ? ResizeMode::nearest : ResizeMode::linear;
    op.coordinates = Coordinates::asymmetric;
    op.nearest_mode = NearestMode::floor;
    return node.add_all(std::move(op), {node.needed(0), nullptr, upsample_scales(node)});
  }
  op.mode = named(node, "mode", ResizeMode::nearest);
  op.coordinates = named(node, "coordinate_transformation_mode", Coordinates::half_pixel);
  op.nearest_mode = named(node, "nearest_mode", NearestMode::round_prefer_floor);
  op.aspect_ratio = named(node, "keep_aspect_ratio_policy", AspectRatio::stretch);
  op.antialias = node.attr<int64_t>("antialias", 0) != 0 ? Antialias::yes : Antialias::no;
  op.outside = node.attr<int64_t>("exclude_outside", 0) != 0 ? Outside::exclude : Outside::edge;
  op.axes = node.attr<std::vector<int64_t>>("axes", {});
  op.cubic_a = node.attr<float>("cubic_coeff_a", -0.75f);
  op.extrapolation = node.attr<float>("extrapolation_value", 0.0f);
  Value* roi = op.coordinates == Coordinates::tf_crop_and_resize ? unless_empty(node.input(1)) : nullptr;
  std::vector<Value*> in{node.needed(0), roi, unless_empty(node.input(2))};
  if (Value* sizes = unless_empty(node.input(3))) in.push_back(sizes);
  return node.add_all(std::move(op), std::move(in));
}

DEFINE_OP(Resize)

}  // namespace onecard
