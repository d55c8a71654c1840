#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/pool_window.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "GlobalAveragePool", 1}, {"", "GlobalMaxPool", 1}, {"", "GlobalLpPool", 1}};
constexpr std::pair<std::string_view, PoolFn> kFns[] = {
    {"GlobalAveragePool", PoolFn::average}, {"GlobalMaxPool", PoolFn::max}, {"GlobalLpPool", PoolFn::lp}};

double over_plane(const GlobalPool& op, std::span<const double> x, double lowest) {
  if (op.fn == PoolFn::max) {
    for (double v : x) lowest = v > lowest ? v : lowest;
    return lowest;
  }
  double sum = 0;
  if (op.fn == PoolFn::lp) {
    for (double v : x) sum += std::pow(std::abs(v), static_cast<double>(op.p));
    return std::pow(sum, 1.0 / static_cast<double>(op.p));
  }
  for (double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}

}  // namespace

std::vector<TensorType> GlobalPool::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  if (fn == PoolFn::max) check_max_type(x);
  require(fn != PoolFn::max || !output, ErrorKind::model, "a maximum keeps the quantization of x");
  TensorType y = fn == PoolFn::max ? x : averaged_type(fn, x, output, output_dtype);
  require(fn != PoolFn::lp || p >= 1, ErrorKind::model, "the norm's p is ", p);
  y.shape = x.shape;
  if (!x.shape.has_rank()) return {y};
  require(x.shape.rank() >= 2, ErrorKind::model, "global pooling needs batch and channel axes, the shape is ", x.shape);
  for (int64_t i = 2; i < x.shape.rank(); ++i) y.shape[i] = 1;
  return {y};
}

void GlobalPool::reference(Inputs in, Outputs out) const {
  if (out[0].elements() == 0) return;
  if (output && out[0].type().quant) {
    GlobalPool average = *this;
    return store_quantized(out[0], output_dtype, output, [&](Tensor& real) { average.reference(in, {&real, 1}); });
  }
  const ScaledValues values = output ? scaled_values(*in[0], -1) : ScaledValues{to_doubles(*in[0]), {1.0}};
  const std::vector<double>& x = values.values;
  const int64_t planes = out[0].elements(), size = static_cast<int64_t>(x.size()) / planes;
  const double lowest = lowest_number(in[0]->dtype());
  parallel_for(planes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double y = over_plane(*this, std::span(x).subspan(static_cast<size_t>(i * size), static_cast<size_t>(size)), lowest) * values.scale[0];
      store_doubles(out[0], i, {&y, 1});
    }
  });
}

std::vector<Value*> GlobalPool::decompose(Graph& graph, Node& node) const { return decomposed_average(*this, graph, node); }

std::optional<OnnxForm> GlobalPool::to_onnx(const Node& node) const {
  if (node.inputs[0]->type.quant) return std::nullopt;
  for (const auto& [name, f] : kFns) {
    if (f != fn) continue;
    OnnxForm form{std::string(name), {}, ""};
    if (fn == PoolFn::lp) form.attributes["p"] = p;
    return form;
  }
  return std::nullopt;
}

const std::span<const OnnxName> GlobalPool::kOnnx{kNames};

std::vector<Value*> GlobalPool::from_onnx(const OnnxNode& node) {
  GlobalPool op;
  for (const auto& [name, fn] : kFns)
    if (node.op_type == name) op.fn = fn;
  if (op.fn == PoolFn::lp) op.p = onnx_norm(node);
  return node.add_all(std::move(op), {node.needed(0)});
}

DEFINE_OP(GlobalPool)

}  // namespace onecard
