#include <cmath>

#include "lib/ops/axes.h"
#include "lib/ops/binary.h"
#include "lib/ops/expansion.h"
#include "lib/ops/normalize.h"
#include "lib/ops/normalized_rows.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
DEFINE_OP(RmsNorm)
namespace {

constexpr OnnxName kNames[] = {{"", "RMSNormalization", 23}, {"", "SimplifiedLayerNormalization", 1}};

Value* cast_to(const NodesBefore& before, Value* x, DType dtype) {
  if (x->type.dtype == dtype) return x;
  Cast cast;
  cast.to = dtype;
  return before.add(cast, {x});
}

}  // namespace

const std::span<const OnnxName> RmsNorm::kOnnx{kNames};

std::vector<TensorType> RmsNorm::infer(const InferContext& in) const {
  const TensorType &x = float_tensor(in, 0), &scale = float_tensor(in, 1);
  if (x.shape.has_rank()) checked_axis(axis, x.shape.rank());
  require_broadcasts_to(x, scale, "scale");
  return {TensorType(scale.dtype, x.shape)};
}

void RmsNorm::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  shape_output(out[0], in[1]->dtype(), x.dims());
  const int64_t length = row_length(x.dims(), axis);
  const auto values = to_doubles(x);
  RowStatistics rows;
  for (int64_t at = 0; length > 0 && at < x.elements(); at += length) {
    double squares = 0;
    for (int64_t i = at; i < at + length; ++i) squares += values[static_cast<size_t>(i)] * values[static_cast<size_t>(i)];
    rows.shift.push_back(0);
    rows.factor.push_back(1 / std::sqrt(squares / static_cast<double>(length) + static_cast<double>(epsilon)));
  }
  write_normalized(x, length, rows, *in[1], nullptr, out[0]);
}

std::vector<Value*> RmsNorm::decompose(Graph& graph, Node& node) const {
  const NodesBefore before(graph, node);
  Value* scale = node.input(1);
  // Squares of 16-bit floats overflow early: as ONNX does, everything up to the division is done in f32.
  const DType dtype = node.input(0)->type.dtype == DType::f64 ? DType::f64 : DType::f32;
  Value* x = cast_to(before, node.input(0), dtype);
  const auto axes = axes_from(x->type.shape, axis);
  Reduce average;
  average.fn = ReduceFn::mean;
  Value* mean = before.add(average, {before.add(Binary(BinaryFn::mul), {x, x}), before.constant(Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes))});
  Value* safe = before.add(Binary(BinaryFn::add), {mean, before.scalar(dtype, static_cast<double>(epsilon))});
  Value* normalized = before.add(Binary(BinaryFn::div), {x, before.add(Unary({Fn::sqrt}), {safe})});
  return {before.add(Binary(BinaryFn::mul), {cast_to(before, normalized, scale->type.dtype), scale})};
}

std::vector<Value*> RmsNorm::from_onnx(const OnnxNode& node) {
  RmsNorm op;
  op.axis = node.attr<int64_t>("axis", -1);
  op.epsilon = node.attr("epsilon", 1e-5f);
  std::vector<Value*> outputs{node.add_op(op, {node.needed(0), node.needed(1)})};
  if (!node.wants(1) && !node.wants(2)) return outputs;
  // com.microsoft's operators also tell 1 / sqrt(mean(x^2) + epsilon): the second output, the third after a skip.
  const Expansion ex(node);
  Value* x = ex.cast(node.needed(0), node.needed(0)->type.dtype == DType::f64 ? DType::f64 : DType::f32);
  Value* mean = ex.reduce(ReduceFn::mean, ex.mul(x, x), axes_from(x->type.shape, op.axis));
  Value* factor = ex.unary({Fn::reciprocal}, ex.unary({Fn::sqrt}, ex.add(mean, ex.scalar(x->type.dtype, static_cast<double>(op.epsilon)))));
  outputs.resize(3, nullptr);
  outputs[node.op_type == "SkipSimplifiedLayerNormalization" ? 2 : 1] = factor;
  return outputs;
}

}  // namespace onecard
