#include "lib/ops/string_concat.h"

#include "lib/ops/binary.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> StringConcat::infer(const InferContext& in) const {
  const TensorType &a = tensor_type(in, 0), &b = tensor_type(in, 1);
  require(a.dtype == DType::string && b.dtype == DType::string, ErrorKind::model, "joins ", info(a.dtype).name, " and ", info(b.dtype).name);
  if (!a.shape.has_rank() || !b.shape.has_rank()) return {TensorType(DType::string, Shape::unranked())};
  return {TensorType(DType::string, broadcast(a.shape, b.shape))};
}

void StringConcat::reference(Inputs in, Outputs out) const {
  const Dims dims = broadcast_dims(in[0]->dims(), in[1]->dims());
  Tensor& y = allocated(out[0], DType::string, dims);
  const std::array<std::vector<int64_t>, 2> strides{broadcast_strides(in[0]->dims(), dims), broadcast_strides(in[1]->dims(), dims)};
  walk(dims, strides, 0, y.elements(), [&](int64_t i, const auto& at) {
    y.text()[static_cast<size_t>(i)] = in[0]->text()[static_cast<size_t>(at[0])] + in[1]->text()[static_cast<size_t>(at[1])];
  });
}

std::optional<OnnxForm> StringConcat::to_onnx(const Node&) const { return OnnxForm{"StringConcat", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "StringConcat", 20}};
}
const std::span<const OnnxName> StringConcat::kOnnx{kNames};

std::vector<Value*> StringConcat::from_onnx(const OnnxNode& node) { return {node.add_op(StringConcat{}, {node.needed(0), node.needed(1)})}; }

DEFINE_OP(StringConcat)

}  // namespace onecard
