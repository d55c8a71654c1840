#include "passes/weights.h"

#include <algorithm>

#include "lib/base/parallel.h"
#include "lib/ops/arithmetic.h"
#include "lib/ops/axes.h"
#include "lib/ops/conv_transpose.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/gru.h"
#include "lib/ops/lstm.h"
#include "lib/ops/matmul.h"
#include "lib/ops/quantize.h"
#include "lib/ops/rnn.h"
#include "passes/match.h"

namespace onecard {

namespace {

constexpr int64_t kLeastElements = 1 << 16;  // that are worth a thread

// Whether nothing follows the sum of products and bias inside the node.
bool ends_plain(const Node& node) {
  if (node.input(3)) return false;
  if (const auto* conv = node.as<Conv>()) return conv->activation.is_identity() && !conv->output;
  if (const auto* deconv = node.as<ConvTranspose>()) return deconv->activation.is_identity();
  if (const auto* matmul = node.as<MatMul>()) return matmul->activation.is_identity() && !matmul->output;
  return false;
}

int64_t matmul_channel_axis(const MatMul& op, int64_t rank) { return op.transpose_b == Transpose2::yes ? rank - 2 : rank - 1; }

Tensor scaled(const Tensor& w, const ChannelView& view, const std::vector<double>& scale) {
  Tensor out(w.type());
  visit_float(w.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto from = w.data<T>();
    const auto to = out.data<T>();
    parallel_for(view.outer * view.extent, std::max<int64_t>(1, kLeastElements / std::max<int64_t>(view.inner, 1)), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const double s = scale[static_cast<size_t>(view.channel(line / view.extent, line % view.extent))];
        for (int64_t i = line * view.inner; i < (line + 1) * view.inner; ++i)
          to[static_cast<size_t>(i)] = narrow<T>(static_cast<double>(from[static_cast<size_t>(i)]) * s);
      }
    });
  });
  return out;
}

// Integer weights are scaled by their scales: one per channel then, which the weight's type must allow.
Tensor scaled_codes(const Tensor& w, int64_t axis, const std::vector<double>& scale) {
  Quantization q = *w.type().quant;
  std::vector<float> scales;
  for (size_t c = 0; c < scale.size(); ++c)
    scales.push_back(static_cast<float>(static_cast<double>(q.scale[q.scale.size() == 1 ? 0 : c]) * scale[c]));
  q.scale = std::move(scales);
  q.axis = axis;
  return w.alias(TensorType(w.dtype(), w.type().shape, std::make_shared<const Quantization>(std::move(q))));
}

// Whether every output channel of an integer weight has, or may get, a scale of its own.
bool scales_by_channel(const Node& node, const TensorType& w) {
  const auto axis = channel_axis(node);
  return axis && w.quant->block == 0 && (w.quant->axis < 0 || w.quant->axis == *axis);
}

Tensor vector_tensor(DType dtype, const std::vector<double>& values) {
  Tensor t(dtype, Dims{static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); ++i) t.set(static_cast<int64_t>(i), values[i]);
  return t;
}

std::optional<std::vector<double>> bias_of(const Node& node, int64_t channels) {
  const Value* bias = node.input(2);
  if (!bias) return std::vector<double>(static_cast<size_t>(channels), 0.0);
  if (bias->constant && bias->type.quant) {
    std::vector<double> values = to_doubles(dequantize_tensor(*materialize(bias->constant)));
    return static_cast<int64_t>(values.size()) == channels ? std::optional(std::move(values)) : std::nullopt;
  }
  const Shape& shape = bias->type.shape;
  if (!node.as<MatMul>()) return per_channel(bias, 1, 0, channels);
  return shape.has_rank() ? per_channel(bias, std::max<int64_t>(shape.rank(), 1), std::max<int64_t>(shape.rank(), 1) - 1, channels) : std::nullopt;
}

std::optional<ChannelAffine> affine_of(BinaryFn fn, bool constant_first, std::vector<double> c) {
  const std::vector<double> ones(c.size(), 1.0), zeros(c.size(), 0.0);
  switch (fn) {
    case BinaryFn::add: return ChannelAffine{ones, std::move(c)};
    case BinaryFn::mul: return ChannelAffine{std::move(c), zeros};
    case BinaryFn::sub:
      if (constant_first) return ChannelAffine{std::vector<double>(c.size(), -1.0), std::move(c)};
      for (double& x : c) x = -x;
      return ChannelAffine{ones, std::move(c)};
    case BinaryFn::div:
      if (constant_first || std::find(c.begin(), c.end(), 0.0) != c.end()) return std::nullopt;
      for (double& x : c) x = 1 / x;
      return ChannelAffine{std::move(c), zeros};
    default: return std::nullopt;
  }
}

}  // namespace

namespace {

void add_matmul_sites(const Node& node, const MatMul& op, std::vector<WeightSite>& sites) {
  for (const size_t input : {size_t{1}, size_t{0}}) {
    const Value* w = node.input(input);
    if (!w || !w->type.shape.has_rank() || w->type.shape.rank() < 2) continue;
    const int64_t rank = w->type.shape.rank();
    const bool turned = (input == 1 ? op.transpose_b : op.transpose_a) == Transpose2::yes;
    const int64_t sum = (input == 1) == turned ? rank - 1 : rank - 2, channel = 2 * rank - 3 - sum;
    sites.push_back({input, input == 1 ? WeightUse::direct : WeightUse::dequantized, sum, channel, 0, 1});
  }
}

}  // namespace

std::vector<WeightSite> weight_sites(const Node& node) {
  std::vector<WeightSite> sites;
  if (node.as<Conv>()) sites.push_back({1, WeightUse::direct, 1, 0, 0, 1});
  if (const auto* deconv = node.as<ConvTranspose>())
    sites.push_back({1, WeightUse::direct, 0, deconv->group == 1 ? std::optional<int64_t>(1) : std::nullopt, 0, 1});
  if (const auto* matmul = node.as<MatMul>()) add_matmul_sites(node, *matmul, sites);
  if (is_recurrent(node))
    for (const size_t input : {size_t{1}, size_t{2}}) sites.push_back({input, WeightUse::dequantized, 2, 1, 0, 1});
  if (const auto* gather = node.as<Gather>(); gather && node.input(0)->type.shape.has_rank() && gather->axis == 0)
    sites.push_back({0, WeightUse::gathered, node.input(0)->type.shape.rank() - 1, 0, 0, 1});
  std::erase_if(sites, [&](WeightSite& site) {
    const Value* w = node.input(site.input);
    const bool is_weight = w && w->constant && !w->type.quant && w->type.container == Container::tensor && is_arithmetic_float(w->type.dtype) &&
                           w->type.dtype != DType::f64 && w->constant->rank() >= 2 && w->constant->elements() > 0;
    if (!is_weight || site.sum_axis >= w->constant->rank()) return true;
    const auto* deconv = node.as<ConvTranspose>();
    const int64_t extent = w->constant->dims()[static_cast<size_t>(site.sum_axis)];
    site.sum_extent = deconv && deconv->group > 0 ? extent / deconv->group : extent;
    if (node.as<MatMul>() || is_recurrent(node))
      site.matrices = w->constant->elements() / (extent * w->constant->dims()[static_cast<size_t>(*site.channel_axis)]);
    return false;
  });
  return sites;
}

bool is_recurrent(const Node& node) { return node.as<Lstm>() || node.as<Gru>() || node.as<Rnn>(); }

std::optional<ChannelView> channel_view(const Node& node) {
  const Value* w = node.input(1);
  if (!w || !w->constant || !w->type.is_static()) return std::nullopt;
  const Dims dims = w->type.shape.numbers();
  if (dims.size() < 2 || element_count(dims) == 0) return std::nullopt;
  const auto around = [&](int64_t axis) {
    const AxisView v = axis_view(dims, axis);
    return ChannelView{v.outer, v.extent, v.inner, v.outer};
  };
  if (node.as<Conv>()) return around(0);
  if (const auto* deconv = node.as<ConvTranspose>()) {
    if (deconv->group < 1 || dims[0] % deconv->group != 0) return std::nullopt;
    ChannelView view = around(1);
    view.outer_per_group = dims[0] / deconv->group;
    return view;
  }
  if (const auto* matmul = node.as<MatMul>()) return around(matmul_channel_axis(*matmul, static_cast<int64_t>(dims.size())));
  return std::nullopt;
}

std::optional<int64_t> channel_axis(const Node& node) {
  if (node.as<Conv>()) return 0;
  if (const auto* deconv = node.as<ConvTranspose>()) return deconv->group == 1 ? std::optional<int64_t>(1) : std::nullopt;
  if (const auto* matmul = node.as<MatMul>()) return matmul_channel_axis(*matmul, node.inputs[1]->type.shape.rank());
  return std::nullopt;
}

std::optional<Linear> linear_producer(const Graph& graph, const Value* v) {
  if (!v || !v->producer || v->users.size() != 1 || graph.is_output(v) || !v->type.shape.has_rank()) return std::nullopt;
  Node& node = *v->producer;
  const auto view = channel_view(node);
  if (!view || !ends_plain(node)) return std::nullopt;
  const TensorType& w = node.inputs[1]->type;
  if (v->type.quant || !is_arithmetic_float(v->type.dtype) || (w.quant ? !scales_by_channel(node, w) : v->type.dtype != w.dtype)) return std::nullopt;
  if (!bias_of(node, view->channels())) return std::nullopt;
  const int64_t rank = v->type.shape.rank();
  return Linear{&node, *view, rank, node.as<MatMul>() ? rank - 1 : 1};
}

std::optional<std::vector<double>> per_channel(const Value* constant, int64_t rank, int64_t axis, int64_t channels) {
  if (!constant || !constant->constant || constant->type.quant || !is_arithmetic_float(constant->type.dtype)) return std::nullopt;
  const Dims& dims = constant->constant->dims();
  const int64_t lead = rank - static_cast<int64_t>(dims.size());
  if (lead < 0 || !constant->constant->has_value()) return std::nullopt;
  for (size_t i = 0; i < dims.size(); ++i)
    if (dims[i] != 1 && (static_cast<int64_t>(i) + lead != axis || dims[i] != channels)) return std::nullopt;
  std::vector<double> values = to_doubles(*materialize(constant->constant));
  if (values.size() == 1) values.resize(static_cast<size_t>(channels), values[0]);
  return values;
}

bool fold_affine(Graph& graph, Node& at, const Linear& linear, const ChannelAffine& affine) {
  const Node& node = *linear.node;
  std::vector<Value*> in = node.inputs;
  Value* w = in[1];
  const std::string stem = w->name;
  if (std::any_of(affine.scale.begin(), affine.scale.end(), [](double s) { return s != 1; }))
    in[1] = graph.add_constant(graph.unique(stem + ".folded"), w->type.quant ? scaled_codes(*w->constant, *channel_axis(node), affine.scale)
                                                                             : scaled(*materialize(w->constant), linear.view, affine.scale));
  std::vector<double> bias = *bias_of(node, linear.view.channels());
  for (size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * affine.scale[c] + affine.shift[c];
  const bool biased = node.input(2) || std::any_of(bias.begin(), bias.end(), [](double b) { return b != 0; });
  in.resize(biased ? 3 : 2);
  if (biased) in[2] = graph.add_constant(graph.unique(stem + ".bias"), vector_tensor(node.output()->type.dtype, bias));
  take_over(graph, at.output(), graph.add_before(at, node.op, in, at.output()->name).output());
  return true;
}

bool fold_arithmetic(Graph& graph, Node& node, bool (*accepts)(const Node&)) {
  const BinaryFn fn = node.as<Binary>()->fn;
  for (size_t i = 0; i < 2; ++i) {
    const auto linear = linear_producer(graph, node.inputs[i]);
    if (!linear || !accepts(*linear->node)) continue;
    auto numbers = per_channel(node.inputs[1 - i], linear->rank, linear->axis, linear->view.channels());
    const auto affine = numbers ? affine_of(fn, i == 1, std::move(*numbers)) : std::nullopt;
    if (affine) return fold_affine(graph, node, *linear, *affine);
  }
  return false;
}

}  // namespace onecard
