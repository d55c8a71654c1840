#include "lib/ops/size_of.h"

#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> SizeOf::infer(const InferContext& in) const {
  tensor_type(in, 0);
  return {TensorType(DType::i64, Shape{})};
}

std::optional<std::vector<Dim>> SizeOf::infer_contents(const InferContext& in) const {
  const Dim count = in.shape(0).elements();
  return count.is_unknown() ? std::nullopt : std::optional(std::vector<Dim>{count});
}

void SizeOf::reference(Inputs in, Outputs out) const { allocated(out[0], DType::i64, {}).set_int(0, in[0]->elements()); }

std::optional<OnnxForm> SizeOf::to_onnx(const Node&) const { return OnnxForm{"Size", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Size", 1}};
}
const std::span<const OnnxName> SizeOf::kOnnx{kNames};

std::vector<Value*> SizeOf::from_onnx(const OnnxNode& node) { return {node.add_op(SizeOf{}, {node.needed(0)})}; }

DEFINE_OP(SizeOf)

}  // namespace onecard
