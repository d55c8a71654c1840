#include <cmath>

#include "lib/ops/axes.h"
#include "lib/ops/binary.h"
#include "lib/ops/movement.h"
#include "lib/ops/normalize.h"
#include "lib/ops/operands.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
DEFINE_OP(BatchNorm)
namespace {

constexpr OnnxName kNames[] = {{"", "BatchNormalization", 1}};
constexpr const char* kParameters[] = {"", "scale", "bias", "mean", "variance"};

// Channels are axis 1; a tensor of one axis has one channel.
Dim channels_of(const Shape& x) { return !x.has_rank() ? Dim::unknown() : x.rank() < 2 ? Dim(1) : x[1]; }

// Before opset 9, with spatial=0: statistics for every element of a sample, which broadcast over the batch.
Value* add_elementwise(const OnnxNode& node, float epsilon) {
  Value *x = node.needed(0), *variance = node.needed(4);
  Value* safe = node.add_op(Binary(BinaryFn::add), {variance, node.constant(scalar_tensor(variance->type.dtype, static_cast<double>(epsilon)))});
  Value* centred = node.add_op(Binary(BinaryFn::sub), {x, node.needed(3)});
  Value* normalized = node.add_op(Binary(BinaryFn::div), {centred, node.add_op(Unary({Fn::sqrt}), {safe})});
  return node.add_op(Binary(BinaryFn::add), {node.add_op(Binary(BinaryFn::mul), {normalized, node.needed(1)}), node.needed(2)});
}

// In training mode: normalized by the statistics of this x, which then move the running ones. Before opset 14 (marked by further outputs) the
// statistics themselves are the last two outputs.
std::vector<Value*> trained(const OnnxNode& node, const BatchNorm& op) {
  Value* x = node.needed(0);
  require(x->type.shape.has_rank() && x->type.shape.rank() >= 2, ErrorKind::model, "training mode of a tensor of unknown rank: ", x->type);
  std::vector<int64_t> axes{0};
  for (int64_t a = 2; a < x->type.shape.rank(); ++a) axes.push_back(a);
  Value* others = int_list(node, axes);
  const auto mean_of = [&](Value* v, KeepDims keep) {
    Reduce mean;
    mean.fn = ReduceFn::mean;
    mean.keep_dims = keep;
    return node.add_op(mean, {v, others});
  };
  const auto binary = [&](BinaryFn fn, Value* a, Value* b) { return node.add_op(Binary(fn), {a, b}); };
  Value* centred = binary(BinaryFn::sub, x, mean_of(x, KeepDims::yes));
  Value *mean = mean_of(x, KeepDims::no), *variance = mean_of(node.add_op(Unary({Fn::square}), {centred}), KeepDims::no);
  const float momentum = node.attr("momentum", 0.9f);
  const auto moved = [&](Value* running, Value* now) {
    const DType dtype = running->type.dtype;
    Cast to_running;
    to_running.to = dtype;
    if (now->type.dtype != dtype) now = node.add_op(to_running, {now});
    const auto share = [&](Value* v, double part) { return binary(BinaryFn::mul, v, node.constant(scalar_tensor(dtype, part))); };
    return binary(BinaryFn::add, share(running, static_cast<double>(momentum)), share(now, 1 - static_cast<double>(momentum)));
  };
  Value* y = node.add_op(op, {x, node.needed(1), node.needed(2), mean, variance});
  std::vector<Value*> out{y, moved(node.needed(3), mean), moved(node.needed(4), variance)};
  if (node.opset < 14) out.insert(out.end(), {mean, variance});
  return out;
}

}  // namespace

const std::span<const OnnxName> BatchNorm::kOnnx{kNames};

std::vector<TensorType> BatchNorm::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  require(!x.shape.has_rank() || x.shape.rank() >= 1, ErrorKind::model, "expects at least one axis, got ", x);
  const Dim channels = channels_of(x.shape);
  for (size_t i = 1; i < 5; ++i) {
    const TensorType& p = float_tensor(in, i);
    if (!p.shape.has_rank()) continue;
    const bool fits = p.shape.rank() == 1 && (!p.shape[0].is_number() || !channels.is_number() || p.shape[0] == channels);
    require(fits, ErrorKind::model, "the ", kParameters[i], ", ", p, ", does not fit ", x);
  }
  return {x};
}

void BatchNorm::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  shape_output(out[0], x.dtype(), x.dims());
  const AxisView view = x.rank() < 2 ? AxisView{x.elements(), 1, 1} : axis_view(x.dims(), 1);
  const auto scale = to_doubles(*in[1]), bias = to_doubles(*in[2]), mean = to_doubles(*in[3]), variance = to_doubles(*in[4]);
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    T* to = out[0].data<T>().data();
    for (int64_t row = 0; row < view.outer * view.extent; ++row) {
      const auto c = static_cast<size_t>(row % view.extent);
      const double factor = scale[c] / std::sqrt(variance[c] + static_cast<double>(epsilon));
      for (int64_t i = row * view.inner; i < (row + 1) * view.inner; ++i)
        to[i] = narrow<T>((static_cast<double>(from[i]) - mean[c]) * factor + bias[c]);
    }
  });
}

std::optional<OnnxForm> BatchNorm::to_onnx(const Node&) const { return OnnxForm{"BatchNormalization", {{"epsilon", epsilon}}, {}}; }

std::vector<Value*> BatchNorm::from_onnx(const OnnxNode& node) {
  bool trains = node.attr<int64_t>("training_mode", 0) != 0;
  for (size_t i = 1; i < node.outputs.size(); ++i) trains = trains || node.wants(i);
  BatchNorm op;
  op.epsilon = node.attr("epsilon", 1e-5f);
  const bool elementwise = node.opset < 9 && node.attr<int64_t>("spatial", 1) == 0;
  require(!trains || !elementwise, ErrorKind::model, "BatchNormalization with spatial=0 is in training mode; re-export the model in inference mode");
  if (trains) return trained(node, op);
  if (elementwise) return {add_elementwise(node, op.epsilon)};
  return {node.add_op(op, {node.needed(0), node.needed(1), node.needed(2), node.needed(3), node.needed(4)})};
}

}  // namespace onecard
