#include "lib/flow/compression/layer.h"

#include <algorithm>

#include "lib/ir/every_node.h"
#include "lib/ops/arithmetic.h"
#include "lib/ops/conv_transpose.h"
#include "lib/ops/gru.h"
#include "lib/ops/lstm.h"
#include "lib/ops/matmul.h"
#include "lib/ops/rnn.h"
#include "passes/prunable.h"

namespace onecard {

namespace {

const Value* weight_of(const Node& node, size_t input, int64_t rank_at_least) {
  const Value* w = node.input(input);
  const bool fits = w && w->constant && !w->type.quant && w->type.container == Container::tensor && is_arithmetic_float(w->type.dtype) &&
                    w->type.dtype != DType::f64 && w->constant->rank() >= rank_at_least && w->constant->elements() > 0;
  return fits ? w : nullptr;
}

Layer layer_of(const Node& node, size_t input, RowSource source) {
  Layer l;
  l.node = &node;
  l.name = node.output()->name;
  l.input = input;
  l.source = source;
  l.x = node.input(0);
  return l;
}

int64_t taps_of(const Dims& w) {
  int64_t taps = 1;
  for (size_t i = 2; i < w.size(); ++i) taps *= w[i];
  return taps;
}

void add_conv(const Node& node, int64_t group, std::vector<Layer>& out) {
  const Value* w = weight_of(node, 1, 3);
  if (!w || group < 1 || w->constant->dims()[0] % group != 0) return;
  const Dims& d = w->constant->dims();
  Layer l = layer_of(node, 1, RowSource::window);
  l.groups = group;
  l.width = d[0] / group;
  l.taps = taps_of(d);
  l.depth = d[1] * l.taps;
  l.column_stride = l.depth;
  l.group_stride = l.depth * l.width;
  l.channel_stride = l.taps;
  l.tap_stride = 1;
  out.push_back(l);
}

void add_conv_transpose(const Node& node, int64_t group, std::vector<Layer>& out) {
  const Value* w = weight_of(node, 1, 3);
  if (!w || group < 1 || w->constant->dims()[0] % group != 0) return;
  const Dims& d = w->constant->dims();
  Layer l = layer_of(node, 1, RowSource::scattered);
  l.groups = group;
  l.width = d[1];
  l.taps = taps_of(d);
  const int64_t channels = d[0] / group;
  l.depth = channels * l.taps;
  l.column_stride = l.taps;
  l.channel_stride = l.width * l.taps;
  l.tap_stride = 1;
  l.group_stride = channels * l.channel_stride;
  out.push_back(l);
}

void add_matmul(const Node& node, const MatMul& op, std::vector<Layer>& out) {
  const Value* w = weight_of(node, 1, 2);
  if (!w || w->constant->rank() != 2 || op.transpose_a == Transpose2::yes || op.alpha != 1) return;
  const Dims& d = w->constant->dims();
  const bool turned = op.transpose_b == Transpose2::yes;
  Layer l = layer_of(node, 1, RowSource::last_axis);
  l.depth = d[turned ? 1 : 0];
  l.width = d[turned ? 0 : 1];
  l.channel_stride = turned ? 1 : l.width;
  l.column_stride = turned ? l.depth : 1;
  out.push_back(l);
}

void add_recurrent(const Node& node, std::vector<Layer>& out) {
  for (const size_t input : {size_t{1}, size_t{2}}) {
    const Value* w = weight_of(node, input, 3);
    if (!w || w->constant->rank() != 3) continue;
    const Dims& d = w->constant->dims();
    Layer l = layer_of(node, input, input == 1 ? RowSource::last_axis : RowSource::states);
    if (input == 2) {
      l.name += ".r";
      l.x = node.output();
    }
    l.groups = d[0];
    l.width = d[1];
    l.depth = d[2];
    l.group_stride = d[1] * d[2];
    l.column_stride = d[2];
    l.channel_stride = 1;
    out.push_back(l);
  }
}

}  // namespace

bool is_recurrent(const Layer& layer) {
  return layer.source == RowSource::states || (layer.source == RowSource::last_axis && !layer.node->as<MatMul>());
}

std::vector<Layer> layers_of(const Node& node) {
  std::vector<Layer> out;
  if (node.outputs.empty()) return out;
  if (const auto* conv = node.as<Conv>()) add_conv(node, conv->group, out);
  else if (const auto* deconv = node.as<ConvTranspose>()) add_conv_transpose(node, deconv->group, out);
  else if (const auto* matmul = node.as<MatMul>()) add_matmul(node, *matmul, out);
  else if (node.as<Lstm>() || node.as<Gru>() || node.as<Rnn>()) add_recurrent(node, out);
  return out;
}

std::vector<Layer> find_layers(const Graph& graph) {
  std::vector<Layer> out;
  every_node(graph, [&](const Graph&, const Node& node) {
    for (Layer& l : layers_of(node)) out.push_back(std::move(l));
  });
  return out;
}

namespace {

// Calls f(place in the weight, place in the matrix) for every element of matrix g: a few columns at a time, which lie far apart in one of the two.
template <class F>
void each_place(const Layer& l, int64_t g, const F& f) {
  constexpr int64_t kColumns = 16;
  for (int64_t first = 0; first < l.width; first += kColumns) {
    const int64_t end = std::min(first + kColumns, l.width);
    for (int64_t k = 0; k < l.depth; ++k) {
      const int64_t row = l.at(g, k);
      for (int64_t n = first; n < end; ++n) f(static_cast<size_t>(row + n * l.column_stride), static_cast<size_t>(k * l.width + n));
    }
  }
}

}  // namespace

std::vector<float> matrix_of(const Layer& layer, const Tensor& weight, int64_t g) {
  std::vector<float> m(static_cast<size_t>(layer.depth * layer.width));
  visit_float(weight.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* from = weight.data<T>().data();
    each_place(layer, g, [&](size_t at, size_t i) { m[i] = static_cast<float>(from[at]); });
  });
  return m;
}

void put_matrix(const Layer& layer, std::span<const float> matrix, int64_t g, Tensor& weight) {
  visit_float(weight.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* to = weight.data<T>().data();
    each_place(layer, g, [&](size_t at, size_t i) { to[at] = T(matrix[i]); });
  });
}

int64_t zeros_of(const Layer& layer) { return zeros_in(*materialize(layer.node->inputs[layer.input]->constant)); }

}  // namespace onecard
