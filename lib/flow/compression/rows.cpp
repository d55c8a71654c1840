#include "lib/flow/compression/rows.h"

#include <algorithm>
#include <cmath>

#include "lib/ops/conv_transpose.h"
#include "lib/ops/gru.h"
#include "lib/ops/lstm.h"
#include "lib/ops/quantize.h"
#include "lib/ops/recurrent.h"
#include "lib/ops/rnn.h"

namespace onecard {

namespace {

// The chosen places among `total`.
std::vector<int64_t> places(int64_t total, int64_t most, double phase) {
  std::vector<int64_t> chosen;
  const int64_t count = std::min(total, most);
  const double step = static_cast<double>(total) / static_cast<double>(std::max<int64_t>(count, 1));
  for (int64_t i = 0; i < count; ++i)
    chosen.push_back(std::min(total - 1, static_cast<int64_t>((static_cast<double>(i) + (count == total ? 0.0 : phase)) * step)));
  return chosen;
}

Rows empty_rows(const Layer& layer, size_t count) {
  Rows r;
  r.count = static_cast<int64_t>(count);
  r.values.assign(static_cast<size_t>(layer.groups * layer.depth) * count, 0.0f);
  return r;
}

// Where tap t of a window at output place o reads along one axis, or -1.
int64_t read_place(const Layer& layer, const ConvGeometry& g, size_t axis, int64_t o, int64_t t, int64_t extent) {
  if (layer.source == RowSource::window) {
    const int64_t i = o * g.strides[axis] - g.pads_begin[axis] + t * g.dilations[axis];
    return i >= 0 && i < extent ? i : -1;
  }
  const int64_t i = o + g.pads_begin[axis] - t * g.dilations[axis];
  return i >= 0 && i % g.strides[axis] == 0 && i / g.strides[axis] < extent ? i / g.strides[axis] : -1;
}

int64_t output_extent(const Layer& layer, const ConvGeometry& g, size_t axis, int64_t extent) {
  const int64_t reach = g.dilations[axis] * (g.kernel[axis] - 1) + 1, pads = g.pads_begin[axis] + g.pads_end[axis];
  return layer.source == RowSource::window ? (extent + pads - reach) / g.strides[axis] + 1 : (extent - 1) * g.strides[axis] + reach - pads;
}

ConvGeometry geometry_of(const Layer& layer, const Dims& x) {
  const Dims& w = layer.node->inputs[1]->constant->dims();
  if (const auto* conv = layer.node->as<Conv>()) return conv_geometry(*conv, x, w);
  return conv_transpose_geometry(*layer.node->as<ConvTranspose>(), x, w);
}

Rows window_rows_of(const Layer& layer, const Tensor& x, int64_t most, double phase) {
  const Dims& d = x.dims();
  const int64_t channels = layer.groups * layer.depth / layer.taps;
  if (d.size() < 3 || d[1] != channels || x.elements() == 0) return {};
  const ConvGeometry g = geometry_of(layer, d);
  const size_t axes = d.size() - 2;
  Dims out(axes);
  int64_t plane = 1, x_plane = 1;
  for (size_t i = 0; i < axes; ++i) {
    out[i] = output_extent(layer, g, i, d[i + 2]);
    if (out[i] <= 0) return {};
    plane *= out[i];
    x_plane *= d[i + 2];
  }
  const std::vector<int64_t> chosen = places(d[0] * plane, most, phase);
  Rows rows = empty_rows(layer, chosen.size());
  const auto from = x.data<float>();
  for (size_t r = 0; r < chosen.size(); ++r)
    for (int64_t t = 0; t < layer.taps; ++t) {
      int64_t place = chosen[r] % plane, tap = t, offset = 0, stride = 1;
      for (size_t i = axes; i-- > 0 && offset >= 0;) {
        const int64_t at = read_place(layer, g, i, place % out[i], tap % g.kernel[i], d[i + 2]);
        offset = at < 0 ? -1 : offset + at * stride;
        stride *= d[i + 2];
        place /= out[i];
        tap /= g.kernel[i];
      }
      if (offset < 0) continue;
      const int64_t image = chosen[r] / plane * channels * x_plane;
      for (int64_t c = 0; c < channels; ++c)
        rows.values[static_cast<size_t>((c * layer.taps + t) * rows.count) + r] = from[static_cast<size_t>(image + c * x_plane + offset)];
    }
  return rows;
}

Rows plain_rows(const Layer& layer, const Tensor& x, int64_t most, double phase) {
  if (x.rank() < 1 || x.dims().back() != layer.depth || x.elements() == 0) return {};
  const std::vector<int64_t> chosen = places(x.elements() / layer.depth, most, phase);
  Rows rows = empty_rows(layer, chosen.size());
  const auto from = x.data<float>();
  for (int64_t g = 0; g < layer.groups; ++g)
    for (int64_t k = 0; k < layer.depth; ++k)
      for (size_t r = 0; r < chosen.size(); ++r)
        rows.values[static_cast<size_t>((g * layer.depth + k) * rows.count) + r] = from[static_cast<size_t>(chosen[r] * layer.depth + k)];
  return rows;
}

bool batch_first(const Node& node) {
  if (const auto* lstm = node.as<Lstm>()) return lstm->layout == SequenceLayout::batch_first;
  if (const auto* gru = node.as<Gru>()) return gru->layout == SequenceLayout::batch_first;
  return node.as<Rnn>() && node.as<Rnn>()->layout == SequenceLayout::batch_first;
}

// Y is [time, directions, batch, hidden], or [batch, time, directions, hidden].
Rows state_rows(const Layer& layer, const Tensor& y, int64_t most, double phase) {
  if (y.rank() != 4 || y.dims()[3] != layer.depth || y.elements() == 0) return {};
  const bool first = batch_first(*layer.node);
  const int64_t inner = first ? 1 : y.dims()[2], outer = y.elements() / (layer.depth * layer.groups * inner);
  if (y.dims()[first ? 2 : 1] != layer.groups) return {};
  const std::vector<int64_t> chosen = places(outer * inner, most, phase);
  Rows rows = empty_rows(layer, chosen.size());
  const auto from = y.data<float>();
  for (int64_t g = 0; g < layer.groups; ++g)
    for (size_t r = 0; r < chosen.size(); ++r) {
      const int64_t at = ((chosen[r] / inner * layer.groups + g) * inner + chosen[r] % inner) * layer.depth;
      for (int64_t k = 0; k < layer.depth; ++k)
        rows.values[static_cast<size_t>((g * layer.depth + k) * rows.count) + r] = from[static_cast<size_t>(at + k)];
    }
  return rows;
}

}  // namespace

Tensor as_real(const Tensor& t) {
  if (t.type().quant) return dequantize_tensor(t);
  return t.dtype() == DType::f32 ? t.alias(t.type()) : convert(t, DType::f32);
}

Rows sample_rows(const Layer& layer, const Tensor& x, int64_t most, double phase) {
  if (!x.has_value() || x.type().container != Container::tensor || (!x.type().quant && !is_float(x.dtype()))) return {};
  const Tensor real = as_real(x);
  switch (layer.source) {
    case RowSource::window:
    case RowSource::scattered: return window_rows_of(layer, real, most, phase);
    case RowSource::last_axis: return plain_rows(layer, real, most, phase);
    case RowSource::states: return state_rows(layer, real, most, phase);
  }
  return {};
}

Rows joined(const Layer& layer, const std::vector<const Rows*>& parts) {
  Rows all;
  for (const Rows* r : parts) all.count += r->count;
  all.values.reserve(static_cast<size_t>(layer.groups * layer.depth * all.count));
  for (int64_t i = 0; i < layer.groups * layer.depth; ++i)
    for (const Rows* r : parts) all.values.insert(all.values.end(), r->values.data() + i * r->count, r->values.data() + (i + 1) * r->count);
  return all;
}

RowPairs paired(const Layer& layer, const std::vector<const Rows*>& own, const std::vector<const Rows*>& original) {
  std::vector<const Rows*> chosen = original;
  for (size_t i = 0; i < own.size(); ++i)
    if (own[i]->count == original[i]->count) chosen[i] = own[i];
  return {joined(layer, chosen), joined(layer, original)};
}

void append_rows(const Layer& layer, Rows more, int64_t most, Rows& rows) {
  if (rows.count == 0) {
    rows = std::move(more);
    return;
  }
  const int64_t take = std::min(more.count, most - rows.count);
  if (take <= 0) return;
  Rows both;
  both.count = rows.count + take;
  both.values.reserve(static_cast<size_t>(layer.groups * layer.depth * both.count));
  for (int64_t i = 0; i < layer.groups * layer.depth; ++i) {
    const float *first = rows.values.data() + i * rows.count, *second = more.values.data() + i * more.count;
    both.values.insert(both.values.end(), first, first + rows.count);
    both.values.insert(both.values.end(), second, second + take);
  }
  rows = std::move(both);
}

}  // namespace onecard
