#include "lib/ops/conv.h"

#include <cstring>

#include "lib/base/parallel.h"
#include "lib/ops/conv_parts.h"
#include "lib/ops/dynamic_conv.h"
#include "lib/ops/integer_range.h"
#include "lib/ops/integer_sum.h"
#include "lib/ops/quantize.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "Conv", 1}};

Window window_of(const Conv& op) { return {op.strides, op.dilations, op.pads, op.auto_pad}; }

void check_channels(const Conv& op, const Shape& x, const Shape& w) {
  require(op.group >= 1 && op.group <= kWindowLimit, ErrorKind::model, "group is ", op.group);
  if (!w.has_rank()) return;
  if (const auto k = w[0].maybe()) require(*k % op.group == 0, ErrorKind::model, *k, " output channels do not divide into ", op.group, " groups");
  if (!x.has_rank()) return;
  const auto have = x[1].maybe(), per_group = w[1].maybe();
  if (!have || !per_group) return;
  require(*have % op.group == 0 && *have / op.group == *per_group, ErrorKind::model, "the input has ", *have, " channels, the weight wants ",
          *per_group, " in each of ", op.group, " groups");
}

void check_residual(const InferContext& in, const Shape& y, DType compute) {
  if (!in.has(3)) return;
  const TensorType& r = in.type(3);
  require(r.quant || r.dtype == compute, ErrorKind::model, "the residual is ", info(r.dtype).name, " where ", info(compute).name, " is computed");
  if (!r.shape.has_rank()) return;
  require(r.shape.rank() == y.rank(), ErrorKind::model, "the residual's shape ", r.shape, " is not the result's ", y);
  for (int64_t i = 0; i < y.rank(); ++i)
    require(!y[i].is_number() || !r.shape[i].is_number() || y[i] == r.shape[i], ErrorKind::model, "the residual's shape ", r.shape,
            " is not the result's ", y);
}

// One convolution over real numbers; called once per output plane, on several threads.
struct ConvSum {
  ScaledValues x, w;
  std::vector<float> image_scale;  // of codes made while running: one, or one per image
  std::vector<double> bias, residual;
  std::vector<WindowRows> positions;  // of the kernel, in row-major order
  int64_t channels_per_group = 0, outputs_per_group = 1, outputs = 0, groups = 1, x_plane = 0, y_plane = 0;

  // acc[y_plane] = the sums of products.
  void sums(int64_t n, int64_t k, std::vector<double>& acc) const {
    std::fill(acc.begin(), acc.end(), 0.0);
    const int64_t first_channel = n * channels_per_group * groups + k / outputs_per_group * channels_per_group;
    for (int64_t c = 0; c < channels_per_group; ++c) {
      const double* from = x.values.data() + (first_channel + c) * x_plane;
      const double* weights = w.values.data() + (k * channels_per_group + c) * static_cast<int64_t>(positions.size());
      for (size_t r = 0; r < positions.size(); ++r) add_position(positions[r], weights[r], from, acc.data());
    }
  }
  double scale_of(int64_t n, int64_t k) const {
    if (image_scale.empty()) return x.scale_at(0) * w.scale_at(k);
    return static_cast<double>(image_scale[image_scale.size() == 1 ? 0 : static_cast<size_t>(n)] * static_cast<float>(w.scale_at(k)));
  }
  // The same, finished.
  void plane(const Conv& op, int64_t n, int64_t k, std::vector<double>& acc) const {
    sums(n, k, acc);
    const double scale = scale_of(n, k), b = bias.empty() ? 0.0 : bias[static_cast<size_t>(k)];
    const double* added = residual.empty() ? nullptr : residual.data() + (n * outputs + k) * y_plane;
    for (int64_t i = 0; i < y_plane; ++i) {
      double& v = acc[static_cast<size_t>(i)];
      v = finish(v * scale + b, added ? added[i] : 0.0, op.activation, op.add_order);
    }
  }

  static void add_position(const WindowRows& rows, double weight, const double* from, double* acc) {
    for_rows(rows, [&](int64_t to, int64_t at, int64_t count, int64_t, int64_t step) {
      for (int64_t i = 0; i < count; ++i) acc[to + i] += weight * from[at + i * step];
    });
  }
};

// Exact sums and the bias in their units, rescaled to codes.
void rescale(const Conv& op, const ConvSum& sum, Inputs in, Tensor& y) {
  const Tensor* bias = in.size() > 2 ? in[2] : nullptr;
  const IntegerRange range = integer_range(y.dtype());
  parallel_for(y.dims()[0] * sum.outputs, 1, [&](int64_t begin, int64_t end) {
    std::vector<double> acc(static_cast<size_t>(sum.y_plane));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k = i % sum.outputs;
      sum.sums(i / sum.outputs, k, acc);
      const float factor = rescale_factor(static_cast<float>(sum.x.scale_at(0)), static_cast<float>(sum.w.scale_at(k)), op.output->scale[0]);
      const double b = bias ? static_cast<double>(bias->int_at(k)) : 0.0;
      for (int64_t p = 0; p < sum.y_plane; ++p)
        y.set_int(i * sum.y_plane + p, range.saturate(rescaled(acc[static_cast<size_t>(p)] + b, factor, op.output->zero_point[0], op.activation)));
    }
  });
}

void take_codes(const Conv& op, const Tensor& x, ConvSum& sum) {
  CentredCodes made = centred_codes(x.data<float>(), dynamic_part(x.dims(), op.dynamic));
  sum.x.values.assign(made.codes.begin(), made.codes.end());
  sum.image_scale = std::move(made.scale);
  if (sum.image_scale.empty()) sum.image_scale = {1.0f};
}

}  // namespace

std::vector<TensorType> Conv::infer(const InferContext& in) const {
  const DType compute = conv_compute_dtype(in);
  if (dynamic != Dynamic::no) {
    require(dynamic != Dynamic::row, ErrorKind::model, "a convolution has no rows to quantize one by one");
    require_dynamic(in.type(0), in.type(1), 0);
  }
  const Shape &x = in.shape(0), &w = in.shape(1);
  const auto rank = conv_rank(in);
  TensorType y(compute, Shape::unranked());
  if (rank) {
    check_window(window_of(*this), *rank - 2);
    check_channels(*this, x, w);
    y.shape = Shape::unknown(*rank);
    if (x.has_rank()) y.shape[0] = x[0];
    if (w.has_rank()) y.shape[1] = w[0];
    if (w.has_rank()) check_conv_bias(in, 2, w[0], compute);
    for (int64_t i = 2; i < *rank && w.has_rank(); ++i) {
      check_kernel_extent(w[i]);
      if (x.has_rank()) y.shape[i] = window_extent(window_of(*this), static_cast<size_t>(i - 2), x[i], w[i]);
    }
    check_residual(in, y.shape, compute);
  }
  if (output) {
    y.dtype = output_dtype;
    y.quant = output;
  }
  return {y};
}

ConvGeometry conv_geometry(const Conv& op, const Dims& x, const Dims& w) {
  return window_geometry(window_of(op), spatial_extents(x), spatial_extents(w));
}

void Conv::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &w = *in[1];
  const Dims y_dims = out[0].dims();
  if (element_count(y_dims) == 0) return;
  ConvSum sum;
  if (dynamic == Dynamic::no) sum.x = scaled_values(x, -1);
  else take_codes(*this, x, sum);
  sum.w = scaled_values(w, 0);
  if (in.size() > 2 && in[2]) sum.bias = real_values(*in[2]);
  if (in.size() > 3 && in[3]) sum.residual = real_values(*in[3]);
  sum.groups = group;
  sum.channels_per_group = w.dims()[1];
  sum.outputs = w.dims()[0];
  sum.outputs_per_group = sum.outputs / group;
  sum.x_plane = element_count(spatial_extents(x.dims()));
  sum.y_plane = element_count(spatial_extents(y_dims));
  const ConvGeometry g = conv_geometry(*this, x.dims(), w.dims());
  Dims at(g.kernel.size(), 0);
  for (bool more = w.elements() > 0; more; more = next_index(at, g.kernel))
    window_rows(g, spatial_extents(y_dims), spatial_extents(x.dims()), at, sum.positions.emplace_back());
  const TensorType* bias = in.size() > 2 && in[2] ? &in[2]->type() : nullptr;
  if (!(in.size() > 3 && in[3]) && rescales_integers({&x.type(), &w.type(), bias, 0}, activation, output)) return rescale(*this, sum, in, out[0]);
  Tensor real;
  if (output) real = Tensor(DType::f32, y_dims);
  Tensor& result = output ? real : out[0];
  parallel_for(y_dims[0] * y_dims[1], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> acc(static_cast<size_t>(sum.y_plane));
    for (int64_t i = begin; i < end; ++i) {
      sum.plane(*this, i / sum.outputs, i % sum.outputs, acc);
      store_doubles(result, i * sum.y_plane, acc);
    }
  });
  if (!output) return;
  const Tensor stored = quantize_tensor(real, output_dtype, output);
  std::memcpy(out[0].raw(), stored.raw(), static_cast<size_t>(stored.bytes()));
}

std::vector<Value*> Conv::decompose(Graph& graph, Node& node) const {
  const bool fused = !activation.is_identity() || node.input(3) || output;
  const auto quantized = [&](size_t i) { return node.input(i) && node.input(i)->type.quant; };
  if (!fused && !quantized(0) && !quantized(1) && !quantized(2)) return {};
  Conv plain = *this;
  plain.activation = {};
  plain.add_order = AddOrder::before_activation;
  plain.output = nullptr;
  plain.output_dtype = Conv().output_dtype;
  std::vector<Value*> in{node.inputs[0], node.inputs[1]};
  if (node.input(2)) in.push_back(node.inputs[2]);
  if (!fused && dynamic != Dynamic::no) return {add_dynamic_conv(graph, node, plain)};
  if (!fused) {
    const DType compute = conv_compute_dtype(node);
    for (Value*& v : in) v = as_float(graph, node, v, compute);
  }
  Value* v = graph.add_before(node, std::make_shared<const Conv>(plain), in, node.output()->name + "_sum").output();
  v = add_epilogue(graph, node, v, node.input(3), activation, add_order);
  if (output) {
    Quantize q;
    q.quant = output;
    q.dtype = output_dtype;
    v = graph.add_before(node, std::make_shared<const Quantize>(q), {v}, node.output()->name + "_quantized").output();
  }
  return {v};
}

std::optional<OnnxForm> Conv::to_onnx(const Node& node) const {
  for (const Value* v : node.inputs)
    if (v && v->type.quant) return std::nullopt;
  if (!activation.is_identity() || node.input(3) || output) return std::nullopt;
  OnnxForm form{"Conv", {}, ""};
  put_list(form, "strides", strides);
  put_list(form, "dilations", dilations);
  if (auto_pad == AutoPad::notset) put_list(form, "pads", pads);
  put_auto_pad(form, auto_pad);
  if (group != 1) form.attributes["group"] = group;
  const Shape& w = node.inputs[1]->type.shape;
  if (w.is_static()) form.attributes["kernel_shape"] = spatial_extents(w.numbers());
  return form;
}

const std::span<const OnnxName> Conv::kOnnx{kNames};

std::vector<Value*> Conv::from_onnx(const OnnxNode& node) {
  Conv op;
  op.auto_pad = onnx_auto_pad(node);
  op.strides = onnx_list(node, "strides", 1);
  op.dilations = onnx_list(node, "dilations", 1);
  if (op.auto_pad == AutoPad::notset) op.pads = onnx_list(node, "pads", 0);
  op.group = node.attr<int64_t>("group", 1);
  check_kernel_shape(node, node.needed(1)->type.shape);
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  if (node.input(2)) in.push_back(node.input(2));
  return node.add_all(std::move(op), std::move(in));
}

DEFINE_OP(Conv)

}  // namespace onecard
