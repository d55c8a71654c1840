#include <cmath>

#include "lib/ops/axes.h"
#include "lib/ops/binary.h"
#include "lib/ops/movement.h"
#include "lib/ops/normalize.h"
#include "lib/ops/normalized_rows.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
DEFINE_OP(LayerNorm)
namespace {

constexpr OnnxName kNames[] = {{"", "LayerNormalization", 1}};

// Mean and 1 / sqrt(variance + epsilon) of every row.
RowStatistics row_statistics(const Tensor& x, int64_t length, double epsilon) {
  const auto values = to_doubles(x);
  RowStatistics rows;
  for (int64_t at = 0; length > 0 && at < x.elements(); at += length) {
    double sum = 0, squares = 0;
    for (int64_t i = at; i < at + length; ++i) sum += values[static_cast<size_t>(i)];
    const double mean = sum / static_cast<double>(length);
    for (int64_t i = at; i < at + length; ++i) squares += (values[static_cast<size_t>(i)] - mean) * (values[static_cast<size_t>(i)] - mean);
    rows.shift.push_back(mean);
    rows.factor.push_back(1 / std::sqrt(squares / static_cast<double>(length) + epsilon));
  }
  return rows;
}

// The second and third outputs of ONNX, in the type that the model asks for.
void add_statistics(const OnnxNode& node, const LayerNorm& op, std::vector<Value*>& outputs) {
  const auto stash = node.attr<int64_t>("stash_type", 1);
  require(dtype_is_known(stash) && is_arithmetic_float(static_cast<DType>(stash)), ErrorKind::model, "stash_type ", stash, " is no floating type");
  const auto dtype = static_cast<DType>(stash);
  Value* x = node.needed(0);
  Value* axes = int_list(node, axes_from(x->type.shape, op.axis));
  if (x->type.dtype != dtype) {
    Cast cast;
    cast.to = dtype;
    x = node.add_op(cast, {x});
  }
  Reduce average;
  average.fn = ReduceFn::mean;
  Value* mean = node.add_op(average, {x, axes});
  outputs.resize(node.outputs.size(), nullptr);
  if (node.wants(1)) outputs[1] = mean;
  if (!node.wants(2)) return;
  Value* centred = node.add_op(Binary(BinaryFn::sub), {x, mean});
  Value* variance = node.add_op(average, {node.add_op(Binary(BinaryFn::mul), {centred, centred}), axes});
  Value* safe = node.add_op(Binary(BinaryFn::add), {variance, node.constant(scalar_tensor(dtype, op.epsilon))});
  outputs[2] = node.add_op(Unary({Fn::reciprocal}), {node.add_op(Unary({Fn::sqrt}), {safe})});
}

}  // namespace

const std::span<const OnnxName> LayerNorm::kOnnx{kNames};

std::vector<TensorType> LayerNorm::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  if (x.shape.has_rank()) checked_axis(axis, x.shape.rank());
  require_broadcasts_to(x, float_tensor(in, 1), "scale");
  if (in.has(2)) require_broadcasts_to(x, float_tensor(in, 2), "bias");
  return {x};
}

void LayerNorm::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  shape_output(out[0], x.dtype(), x.dims());
  const int64_t length = row_length(x.dims(), axis);
  write_normalized(x, length, row_statistics(x, length, static_cast<double>(epsilon)), *in[1], in.size() > 2 ? in[2] : nullptr, out[0]);
}

std::optional<OnnxForm> LayerNorm::to_onnx(const Node&) const { return OnnxForm{"LayerNormalization", {{"axis", axis}, {"epsilon", epsilon}}, {}}; }

std::vector<Value*> LayerNorm::from_onnx(const OnnxNode& node) {
  LayerNorm op;
  op.axis = node.attr<int64_t>("axis", -1);
  op.epsilon = node.attr("epsilon", 1e-5f);
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  if (node.input(2)) in.push_back(node.input(2));
  std::vector<Value*> outputs{node.add_op(op, in)};
  if (node.wants(1) || node.wants(2)) add_statistics(node, op, outputs);
  return outputs;
}

}  // namespace onecard
