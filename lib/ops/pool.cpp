#include "lib/ops/pool.h"

#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/pool_window.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kPoolNames[] = {{"", "MaxPool", 1}, {"", "AveragePool", 1}, {"", "LpPool", 1}};

void accumulate(PoolFn fn, int64_t p, const WindowRows& rows, const double* x, double* acc) {
  const auto each = [&](auto&& combine) {
    for_rows(rows, [&](int64_t to, int64_t at, int64_t count, int64_t, int64_t step) {
      for (int64_t i = 0; i < count; ++i) combine(acc[to + i], x[at + i * step]);
    });
  };
  if (fn == PoolFn::max) return each([](double& a, double v) { a = v > a ? v : a; });
  if (fn == PoolFn::lp)
    return each([p](double& a, double v) { a += p == 1 ? std::abs(v) : p == 2 ? v * v : std::pow(std::abs(v), static_cast<double>(p)); });
  each([](double& a, double v) { a += v; });
}

double root(double sum, int64_t p) { return p == 1 ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1.0 / static_cast<double>(p)); }

}  // namespace

ConvGeometry pool_base_geometry(const Pool& op, const Dims& x) { return pool_base_geometry(pool_window(op), x); }

std::vector<double> pool_window_counts(const Pool& op, const Dims& x_dims, const Dims& y_dims) {
  const ConvGeometry g = pool_base_geometry(op, x_dims);
  const Dims x = spatial_extents(x_dims), y = spatial_extents(y_dims);
  std::vector<double> counts{1.0};
  const bool with_padding = op.fn == PoolFn::average_with_padding;
  for (size_t a = 0; a < g.kernel.size(); ++a) {
    const int64_t first = with_padding ? -g.pads_begin[a] : 0, end = x[a] + (with_padding ? g.pads_end[a] : 0);
    std::vector<double> next;
    next.reserve(counts.size() * static_cast<size_t>(y[a]));
    std::vector<double> along;
    for (int64_t o = 0; o < y[a]; ++o) {
      int64_t inside = 0;
      for (int64_t k = 0; k < g.kernel[a]; ++k) {
        const int64_t at = o * g.strides[a] - g.pads_begin[a] + k * g.dilations[a];
        inside += at >= first && at < end;
      }
      along.push_back(static_cast<double>(inside));
    }
    for (double c : counts)
      for (double n : along) next.push_back(c * n);
    counts = std::move(next);
  }
  return counts;
}

std::vector<TensorType> Pool::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  if (fn == PoolFn::max) check_max_type(x);
  require(fn != PoolFn::max || !output, ErrorKind::model, "a maximum keeps the quantization of x");
  TensorType y = fn == PoolFn::max ? x : averaged_type(fn, x, output, output_dtype);
  require(fn != PoolFn::lp || p >= 1, ErrorKind::model, "the norm's p is ", p);
  y.shape = pool_shape(pool_window(*this), x.shape);
  return {y};
}

void Pool::reference(Inputs in, Outputs out) const {
  const Dims x_dims = in[0]->dims(), y_dims = out[0].dims();
  if (out[0].elements() == 0) return;
  if (output && out[0].type().quant) {
    Pool average = *this;
    return store_quantized(out[0], output_dtype, output, [&](Tensor& real) { average.reference(in, {&real, 1}); });
  }
  const ScaledValues values = output ? scaled_values(*in[0], -1) : ScaledValues{to_doubles(*in[0]), {1.0}};
  const std::vector<double>& x = values.values;
  const Dims x_plane = spatial_extents(x_dims), y_plane = spatial_extents(y_dims);
  const int64_t x_size = element_count(x_plane), y_size = element_count(y_plane);
  const ConvGeometry g = pool_base_geometry(pool_window(*this), x_dims);
  const bool average = fn == PoolFn::average || fn == PoolFn::average_with_padding;
  const std::vector<double> counts = average ? pool_window_counts(*this, x_dims, y_dims) : std::vector<double>{};
  const double start = fn == PoolFn::max ? lowest_number(in[0]->dtype()) : 0.0;
  parallel_for(y_dims[0] * y_dims[1], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> acc(static_cast<size_t>(y_size));
    WindowRows rows;
    for (int64_t plane = begin; plane < end; ++plane) {
      std::fill(acc.begin(), acc.end(), start);
      Dims at(g.kernel.size(), 0);
      do {
        window_rows(g, y_plane, x_plane, at, rows);
        accumulate(fn, p, rows, x.data() + plane * x_size, acc.data());
      } while (next_index(at, g.kernel));
      for (size_t i = 0; i < counts.size(); ++i) acc[i] = acc[i] / counts[i] * values.scale[0];
      if (fn == PoolFn::lp)
        for (double& v : acc) v = root(v, p);
      store_doubles(out[0], plane * y_size, acc);
    }
  });
}

std::vector<Value*> Pool::decompose(Graph& graph, Node& node) const { return decomposed_average(*this, graph, node); }

std::optional<OnnxForm> Pool::to_onnx(const Node& node) const {
  // The largest of 8-bit integers stands for the largest number.
  const TensorType& x = node.inputs[0]->type;
  if (x.quant && (fn != PoolFn::max || info(x.dtype).bits != 8 || node.output()->type.quant != x.quant)) return std::nullopt;
  OnnxForm form{fn == PoolFn::max ? "MaxPool" : fn == PoolFn::lp ? "LpPool" : "AveragePool", {}, ""};
  put_pool_fields(form, *this);
  if (fn == PoolFn::average_with_padding) form.attributes["count_include_pad"] = int64_t{1};
  if (fn == PoolFn::lp) form.attributes["p"] = p;
  return form;
}

const std::span<const OnnxName> Pool::kOnnx{kPoolNames};

std::vector<Value*> Pool::from_onnx(const OnnxNode& node) {
  static constexpr std::pair<std::string_view, PoolFn> kFns[] = {{"MaxPool", PoolFn::max}, {"AveragePool", PoolFn::average}, {"LpPool", PoolFn::lp}};
  if (node.wants(1)) {
    auto op = pool_fields<MaxPoolIndices>(node);
    op.storage_order = node.attr<int64_t>("storage_order", 0);
    return node.add_all(std::move(op), {node.needed(0)});
  }
  auto op = pool_fields<Pool>(node);
  for (const auto& [name, fn] : kFns)
    if (node.op_type == name) op.fn = fn;
  if (op.fn == PoolFn::average && node.attr<int64_t>("count_include_pad", 0) != 0) op.fn = PoolFn::average_with_padding;
  if (op.fn == PoolFn::lp) op.p = onnx_norm(node);
  return node.add_all(std::move(op), {node.needed(0)});
}

DEFINE_OP(Pool)

std::vector<TensorType> MaxPoolIndices::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  check_max_type(x);
  require(storage_order == 0 || storage_order == 1, ErrorKind::model, "storage_order is ", storage_order);
  const Shape y = pool_shape(pool_window(*this), x.shape);
  return {TensorType(x.dtype, y, x.quant), TensorType(DType::i64, y)};
}

namespace {

// Where element `at` (row-major) of a plane stands when the plane is listed column by column.
int64_t column_major(int64_t at, const Dims& plane) {
  Dims index(plane.size());
  for (size_t i = plane.size(); i-- > 0; at /= plane[i]) index[i] = at % plane[i];
  int64_t out = 0;
  for (size_t i = plane.size(); i-- > 0;) out = out * plane[i] + index[i];
  return out;
}

}  // namespace

void MaxPoolIndices::reference(Inputs in, Outputs out) const {
  const Dims x_dims = in[0]->dims(), y_dims = out[0].dims();
  if (out[0].elements() == 0) return;
  const std::vector<double> x = to_doubles(*in[0]);
  const Dims x_plane = spatial_extents(x_dims), y_plane = spatial_extents(y_dims);
  const int64_t x_size = element_count(x_plane), y_size = element_count(y_plane);
  const ConvGeometry g = pool_base_geometry(pool_window(*this), x_dims);
  parallel_for(y_dims[0] * y_dims[1], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> best(static_cast<size_t>(y_size));
    WindowRows rows;
    for (int64_t plane = begin; plane < end; ++plane) {
      std::fill(best.begin(), best.end(), lowest_number(in[0]->dtype()));
      int64_t* where = out[1].data<int64_t>().data() + plane * y_size;
      std::fill(where, where + y_size, int64_t{-1});
      const double* from = x.data() + plane * x_size;
      Dims at(g.kernel.size(), 0);
      do {
        window_rows(g, y_plane, x_plane, at, rows);
        for_rows(rows, [&](int64_t to, int64_t source, int64_t count, int64_t, int64_t step) {
          for (int64_t i = 0; i < count; ++i, source += step)
            if (from[source] > best[static_cast<size_t>(to + i)] || where[to + i] < 0)
              best[static_cast<size_t>(to + i)] = from[source], where[to + i] = source;
        });
      } while (next_index(at, g.kernel));
      for (int64_t i = 0; i < y_size; ++i)
        where[i] = plane * x_size + (storage_order == 1 && where[i] >= 0 ? column_major(where[i], x_plane) : where[i]);
      store_doubles(out[0], plane * y_size, best);
    }
  });
}

std::optional<OnnxForm> MaxPoolIndices::to_onnx(const Node& node) const {
  if (node.inputs[0]->type.quant) return std::nullopt;
  OnnxForm form{"MaxPool", {}, ""};
  put_pool_fields(form, *this);
  if (storage_order != 0) form.attributes["storage_order"] = storage_order;
  return form;
}

DEFINE_OP(MaxPoolIndices)

}  // namespace onecard
