#include "lib/ops/binary.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> Where::infer(const InferContext& in) const {
  const TensorType &c = tensor_type(in, 0), &x = tensor_type(in, 1), &y = tensor_type(in, 2);
  require(c.dtype == DType::boolean, ErrorKind::model, "the condition must be boolean, not ", info(c.dtype).name);
  require(x.dtype == y.dtype, ErrorKind::model, "chooses between ", info(x.dtype).name, " and ", info(y.dtype).name);
  return {TensorType(x.dtype, broadcast(broadcast(c.shape, x.shape), y.shape), shared_quant(x, y))};
}

std::optional<std::vector<Dim>> Where::infer_contents(const InferContext& in) const {
  if (!is_integer(in.dtype(1))) return std::nullopt;
  const auto x = in.contents(1), y = in.contents(2);
  auto condition = in.contents(0);
  if (const auto c = in.constant(0); !condition && c && c->elements() <= kContentsLimit) {
    const auto bits = to_ints(*c);
    condition = std::vector<Dim>(bits.begin(), bits.end());
  }
  if (!x || !y) return std::nullopt;
  for (size_t i = 0; i < 3; ++i)
    if (!in.shape(i).has_rank() || in.shape(i).rank() > 1) return std::nullopt;
  if (!condition) condition = std::vector<Dim>(std::max(x->size(), y->size()), Dim::unknown());
  const size_t count = std::max({condition->size(), x->size(), y->size()});
  const auto pick = [&](const std::vector<Dim>& list, size_t i) { return list.size() == 1 ? list[0] : i < list.size() ? list[i] : Dim::unknown(); };
  std::vector<Dim> chosen;
  for (size_t i = 0; i < count; ++i) {
    const Dim c = pick(*condition, i), a = pick(*x, i), b = pick(*y, i);
    if (c.is_number()) chosen.push_back(c.number() != 0 ? a : b);
    else chosen.push_back(same_size(a, b) ? a : Dim::unknown());
  }
  return chosen;
}

void Where::reference(Inputs in, Outputs out) const {
  const Dims dims = broadcast_dims(broadcast_dims(in[0]->dims(), in[1]->dims()), in[2]->dims());
  Tensor& result = allocated(out[0], in[1]->dtype(), dims, in[1]->type().quant);
  const auto condition = in[0]->data<bool>();
  const ElementCopier first(*in[1], result), second(*in[2], result);
  const std::array<std::vector<int64_t>, 3> strides{broadcast_strides(in[0]->dims(), dims), broadcast_strides(in[1]->dims(), dims), broadcast_strides(in[2]->dims(), dims)};
  walk(dims, strides, 0, result.elements(), [&](int64_t i, const auto& at) {
    if (condition[static_cast<size_t>(at[0])]) first(at[1], i);
    else second(at[2], i);
  });
}

std::optional<OnnxForm> Where::to_onnx(const Node&) const { return OnnxForm{"Where", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Where", 9}};
}
const std::span<const OnnxName> Where::kOnnx{kNames};

std::vector<Value*> Where::from_onnx(const OnnxNode& node) { return {node.add_op(Where{}, {node.needed(0), node.needed(1), node.needed(2)})}; }

DEFINE_OP(Where)

}  // namespace onecard
