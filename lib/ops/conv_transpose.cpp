#include "lib/ops/conv_transpose.h"

#include "lib/base/parallel.h"
#include "lib/ops/conv_parts.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "ConvTranspose", 1}};

Window window_of(const ConvTranspose& op) { return {op.strides, op.dilations, op.pads, op.auto_pad}; }
bool pads_follow(const ConvTranspose& op) {
  return !op.output_shape.empty() || op.auto_pad == AutoPad::same_upper || op.auto_pad == AutoPad::same_lower;
}

void check_fields(const ConvTranspose& op, int64_t spatial) {
  check_window(window_of(op), spatial);
  for (const auto* list : {&op.output_padding, &op.output_shape}) {
    require(list->empty() || static_cast<int64_t>(list->size()) == spatial, ErrorKind::model, "output_padding or output_shape has ", list->size(),
            " numbers for ", spatial, " spatial axes");
    for (int64_t v : *list) require(v >= 0 && v <= kWindowLimit, ErrorKind::model, "output_padding or output_shape holds ", v);
  }
}

void check_channels(const ConvTranspose& op, const Shape& x, const Shape& w) {
  require(op.group >= 1 && op.group <= kWindowLimit, ErrorKind::model, "group is ", op.group);
  if (!w.has_rank()) return;
  if (const auto c = w[0].maybe()) require(*c % op.group == 0, ErrorKind::model, *c, " input channels do not divide into ", op.group, " groups");
  if (!x.has_rank() || !x[1].is_number() || !w[0].is_number()) return;
  require(x[1] == w[0], ErrorKind::model, "the input has ", x[1], " channels, the weight wants ", w[0]);
}

Dim transposed_extent(const ConvTranspose& op, size_t i, const Dim& in, const Dim& kernel) {
  const Window w = window_of(op);
  if (!op.output_shape.empty()) return op.output_shape[i];
  if (pads_follow(op)) return in * Dim(w.stride(i));
  const int64_t extra = op.output_padding.empty() ? 0 : op.output_padding[i];
  const Dim out = (in - 1) * Dim(w.stride(i)) + (kernel - 1) * Dim(w.dilation(i)) + Dim(1 + extra - w.pad_begin(i) - w.pad_end(i));
  if (const auto o = out.maybe()) require(*o >= 0, ErrorKind::model, "the result would have ", *o, " elements along spatial axis ", i);
  return out;
}

// One transposed convolution over real numbers; called once per output plane, on several threads.
struct TransposedSum {
  ScaledValues x, w;
  std::vector<double> bias;
  std::vector<WindowRows> positions;  // of the kernel, in row-major order
  int64_t channels = 0, channels_per_group = 0, outputs_per_group = 1, x_plane = 0;

  void plane(const Activation& f, int64_t n, int64_t k, std::vector<double>& acc) const {
    std::fill(acc.begin(), acc.end(), 0.0);
    const int64_t first = k / outputs_per_group * channels_per_group, column = k % outputs_per_group;
    for (int64_t c = first; c < first + channels_per_group; ++c) {
      const double* from = x.values.data() + (n * channels + c) * x_plane;
      const double* weights = w.values.data() + (c * outputs_per_group + column) * static_cast<int64_t>(positions.size());
      for (size_t r = 0; r < positions.size(); ++r) add_position(positions[r], weights[r], from, acc.data());
    }
    const double scale = x.scale_at(0) * w.scale_at(column), b = bias.empty() ? 0.0 : bias[static_cast<size_t>(k)];
    for (double& v : acc) v = finish(v * scale + b, 0.0, f, AddOrder::before_activation);
  }

  static void add_position(const WindowRows& rows, double weight, const double* from, double* acc) {
    for_rows(rows, [&](int64_t at, int64_t to, int64_t count, int64_t, int64_t step) {
      for (int64_t i = 0; i < count; ++i) acc[to + i * step] += weight * from[at + i];
    });
  }
};

}  // namespace

std::vector<TensorType> ConvTranspose::infer(const InferContext& in) const {
  const DType compute = conv_compute_dtype(in);
  const Shape &x = in.shape(0), &w = in.shape(1);
  const auto rank = conv_rank(in);
  if (!rank) return {TensorType(compute, Shape::unranked())};
  check_fields(*this, *rank - 2);
  check_channels(*this, x, w);
  Shape y = Shape::unknown(*rank);
  if (x.has_rank()) y[0] = x[0];
  if (w.has_rank()) {
    y[1] = w[1] * Dim(group);
    check_conv_bias(in, 2, y[1], compute);
  }
  for (int64_t i = 2; i < *rank && w.has_rank(); ++i) {
    check_kernel_extent(w[i]);
    if (x.has_rank()) y[i] = transposed_extent(*this, static_cast<size_t>(i - 2), x[i], w[i]);
  }
  return {TensorType(compute, y)};
}

ConvGeometry conv_transpose_geometry(const ConvTranspose& op, const Dims& x, const Dims& w) {
  Window window = window_of(op);
  window.auto_pad = op.auto_pad == AutoPad::valid ? AutoPad::valid : AutoPad::notset;
  ConvGeometry g = window_geometry(window, spatial_extents(x), spatial_extents(w));
  for (size_t i = 0; pads_follow(op) && i < g.kernel.size(); ++i) {
    const int64_t wanted = op.output_shape.empty() ? x[i + 2] * g.strides[i] : op.output_shape[i],
                  extra = op.output_padding.empty() ? 0 : op.output_padding[i];
    const int64_t total = g.strides[i] * (x[i + 2] - 1) + extra + (g.kernel[i] - 1) * g.dilations[i] + 1 - wanted, cut = std::max<int64_t>(0, total);
    g.pads_begin[i] = op.auto_pad == AutoPad::same_upper ? cut / 2 : cut - cut / 2;
    g.pads_end[i] = total - g.pads_begin[i];
  }
  return g;
}

void ConvTranspose::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &w = *in[1];
  const Dims y_dims = out[0].dims();
  if (out[0].elements() == 0) return;
  TransposedSum sum;
  sum.x = scaled_values(x, -1);
  sum.w = scaled_values(w, 1);
  if (in.size() > 2 && in[2]) sum.bias = real_values(*in[2]);
  sum.channels = w.dims()[0];
  sum.channels_per_group = sum.channels / group;
  sum.outputs_per_group = w.dims()[1];
  sum.x_plane = element_count(spatial_extents(x.dims()));
  const ConvGeometry g = conv_transpose_geometry(*this, x.dims(), w.dims());
  Dims at(g.kernel.size(), 0);
  for (bool more = w.elements() > 0; more; more = next_index(at, g.kernel))
    window_rows(g, spatial_extents(x.dims()), spatial_extents(y_dims), at, sum.positions.emplace_back());
  const int64_t y_plane = element_count(spatial_extents(y_dims));
  parallel_for(y_dims[0] * y_dims[1], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> acc(static_cast<size_t>(y_plane));
    for (int64_t i = begin; i < end; ++i) {
      sum.plane(activation, i / y_dims[1], i % y_dims[1], acc);
      store_doubles(out[0], i * y_plane, acc);
    }
  });
}

std::vector<Value*> ConvTranspose::decompose(Graph& graph, Node& node) const {
  const auto quantized = [&](size_t i) { return node.input(i) && node.input(i)->type.quant; };
  const bool fused = !activation.is_identity();
  if (!fused && !quantized(0) && !quantized(1) && !quantized(2)) return {};
  ConvTranspose plain = *this;
  plain.activation = {};
  std::vector<Value*> in = node.inputs;
  if (!fused) {
    const DType compute = conv_compute_dtype(node);
    for (Value*& v : in) v = as_float(graph, node, v, compute);
  }
  Value* v = graph.add_before(node, std::make_shared<const ConvTranspose>(plain), in, node.output()->name + "_sum").output();
  return {add_epilogue(graph, node, v, nullptr, activation, AddOrder::before_activation)};
}

std::optional<OnnxForm> ConvTranspose::to_onnx(const Node& node) const {
  for (const Value* v : node.inputs)
    if (v && v->type.quant) return std::nullopt;
  if (!activation.is_identity()) return std::nullopt;
  OnnxForm form{"ConvTranspose", {}, ""};
  put_list(form, "strides", strides);
  put_list(form, "dilations", dilations);
  if (auto_pad == AutoPad::notset) put_list(form, "pads", pads);
  put_list(form, "output_padding", output_padding);
  put_list(form, "output_shape", output_shape);
  put_auto_pad(form, auto_pad);
  if (group != 1) form.attributes["group"] = group;
  const Shape& w = node.inputs[1]->type.shape;
  if (w.is_static()) form.attributes["kernel_shape"] = spatial_extents(w.numbers());
  return form;
}

const std::span<const OnnxName> ConvTranspose::kOnnx{kNames};

std::vector<Value*> ConvTranspose::from_onnx(const OnnxNode& node) {
  ConvTranspose op;
  op.auto_pad = onnx_auto_pad(node);
  op.strides = onnx_list(node, "strides", 1);
  op.dilations = onnx_list(node, "dilations", 1);
  if (op.auto_pad == AutoPad::notset) op.pads = onnx_list(node, "pads", 0);
  op.output_padding = onnx_list(node, "output_padding", 0);
  op.output_shape = node.attr<std::vector<int64_t>>("output_shape", {});
  op.group = node.attr<int64_t>("group", 1);
  const Shape& w = node.needed(1)->type.shape;
  check_kernel_shape(node, w);
  // Some exporters write batch and channel too.
  if (w.has_rank() && w.rank() > 2 && static_cast<int64_t>(op.output_shape.size()) == w.rank())
    op.output_shape.erase(op.output_shape.begin(), op.output_shape.begin() + 2);
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  if (node.input(2)) in.push_back(node.input(2));
  return node.add_all(std::move(op), std::move(in));
}

DEFINE_OP(ConvTranspose)

}  // namespace onecard
