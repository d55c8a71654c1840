#include "lib/ops/reverse_sequence.h"

#include "lib/ops/movement.h"

namespace onecard {

namespace {

void check_axes(const ReverseSequence& op) {
  const bool ok = (op.time_axis == 0 && op.batch_axis == 1) || (op.time_axis == 1 && op.batch_axis == 0);
  require(ok, ErrorKind::model, "time axis ", op.time_axis, " and batch axis ", op.batch_axis, "; they must be 0 and 1");
}

}  // namespace

std::vector<TensorType> ReverseSequence::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &lengths = tensor_type(in, 1);
  check_axes(*this);
  require(!x.shape.has_rank() || x.shape.rank() >= 2, ErrorKind::model, "expects a batch of sequences, got ", x.shape);
  require(is_integer(lengths.dtype) && (!lengths.shape.has_rank() || lengths.shape.rank() == 1), ErrorKind::model, "sequence_lens is ", lengths);
  return {TensorType(x.dtype, x.shape, moved_quant(x))};
}

void ReverseSequence::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &lengths = *in[1];
  require(x.rank() >= 2, ErrorKind::model, "expects a batch of sequences, got rank ", x.rank());
  check_axes(*this);
  const int64_t batch = x.dims()[static_cast<size_t>(batch_axis)], time = x.dims()[static_cast<size_t>(time_axis)];
  require(lengths.elements() == batch, ErrorKind::model, lengths.elements(), " lengths for a batch of ", batch);
  Tensor& y = allocated(out[0], x.dtype(), x.dims(), x.type().quant);
  const int64_t inner = extent_product(x.dims(), 2, x.rank());
  const int64_t per_time = time_axis == 0 ? batch * inner : inner, per_batch = batch_axis == 0 ? time * inner : inner;
  const ElementCopier copy(x, y);
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths.int_at(b);
    require(length >= 0 && length <= time, ErrorKind::model, "a sequence of ", length, " of ", time, " steps");
    for (int64_t t = 0; t < time; ++t) copy(b * per_batch + (t < length ? length - 1 - t : t) * per_time, b * per_batch + t * per_time, inner);
  }
}

std::optional<OnnxForm> ReverseSequence::to_onnx(const Node&) const {
  return OnnxForm{"ReverseSequence", {{"time_axis", time_axis}, {"batch_axis", batch_axis}}, ""};
}

namespace {
constexpr OnnxName kNames[] = {{"", "ReverseSequence", 10}};
}
const std::span<const OnnxName> ReverseSequence::kOnnx{kNames};

std::vector<Value*> ReverseSequence::from_onnx(const OnnxNode& node) {
  ReverseSequence op;
  op.time_axis = node.attr<int64_t>("time_axis", 0);
  op.batch_axis = node.attr<int64_t>("batch_axis", 1);
  return {node.add_op(op, {node.needed(0), node.needed(1)})};
}

DEFINE_OP(ReverseSequence)

}  // namespace onecard
