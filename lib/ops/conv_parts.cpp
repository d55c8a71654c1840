#include "lib/ops/conv_parts.h"

#include "lib/ops/binary.h"
#include "lib/ops/quantize.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {

DType conv_compute_dtype(const InferContext& in) {
  const TensorType &x = in.type(0), &w = in.type(1);
  const DType compute = x.quant ? DType::f32 : x.dtype;
  visit_float(compute, [](auto) {});
  require(w.quant || w.dtype == compute, ErrorKind::model, "the weight is ", info(w.dtype).name, ", the input ", x);
  return compute;
}

void check_conv_bias(const InferContext& in, size_t i, const Dim& channels, DType compute) {
  if (!in.has(i)) return;
  const TensorType& b = in.type(i);
  require(b.quant || b.dtype == compute, ErrorKind::model, "the bias is ", info(b.dtype).name, " where ", info(compute).name, " is computed");
  if (!b.shape.has_rank()) return;
  const bool fits = b.shape.rank() == 1 && (!b.shape[0].is_number() || !channels.is_number() || b.shape[0] == channels);
  require(fits, ErrorKind::model, "the bias has shape ", b.shape, " for ", channels, " output channels");
}

std::optional<int64_t> conv_rank(const InferContext& in) {
  const Shape &x = in.shape(0), &w = in.shape(1);
  if (!x.has_rank() && !w.has_rank()) return std::nullopt;
  const int64_t rank = x.has_rank() ? x.rank() : w.rank();
  require(rank >= 3, ErrorKind::model, "a convolution needs batch, channel and at least one spatial axis, the shape is ", x.has_rank() ? x : w);
  require(!w.has_rank() || w.rank() == rank, ErrorKind::model, "the weight's rank differs from the input's: ", w, " and ", x);
  return rank;
}

Value* as_float(Graph& graph, Node& at, Value* v, DType wanted) {
  if (!v) return nullptr;
  if (v->type.quant) v = graph.add_before(at, std::make_shared<const Dequantize>(), {v}, v->name + "_float").output();
  if (v->type.dtype == wanted) return v;
  Cast cast;
  cast.to = wanted;
  return graph.add_before(at, std::make_shared<const Cast>(cast), {v}, v->name + "_cast").output();
}

DType conv_compute_dtype(const Node& node) { return node.inputs[0]->type.quant ? DType::f32 : node.inputs[0]->type.dtype; }

Value* add_epilogue(Graph& graph, Node& at, Value* v, Value* residual, const Activation& f, AddOrder order) {
  const auto activate = [&] {
    if (!f.is_identity()) v = graph.add_before(at, std::make_shared<const Unary>(f), {v}, v->name + "_activated").output();
  };
  if (order == AddOrder::after_activation) activate();
  if (residual) {
    residual = as_float(graph, at, residual, v->type.dtype);
    v = graph.add_before(at, std::make_shared<const Binary>(BinaryFn::add), {v, residual}, v->name + "_added").output();
  }
  if (order == AddOrder::before_activation) activate();
  return v;
}

}  // namespace onecard
