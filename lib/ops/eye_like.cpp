#include <algorithm>

#include "lib/ops/generate_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> EyeLike::infer(const InferContext& in) const {
  const Shape& x = tensor_type(in, 0).shape;
  require(!x.has_rank() || x.rank() == 2, ErrorKind::model, "takes a matrix, not ", x.text());
  const DKind kind = info(dtype).kind;
  require(kind != DKind::none && kind != DKind::string && kind != DKind::complex, ErrorKind::model, "a matrix of ", info(dtype).name);
  return {TensorType(dtype, x.has_rank() ? x : Shape::unknown(2))};
}

void EyeLike::reference(Inputs in, Outputs out) const {
  require(in[0]->rank() == 2, ErrorKind::model, "takes a matrix, not ", in[0]->type().text());
  const int64_t rows = in[0]->dims()[0], columns = in[0]->dims()[1];
  Tensor& y = allocated(out[0], dtype, in[0]->dims());
  fill_elements(y, 0, y.elements(), nullptr);
  const int64_t diagonal = std::clamp(k, -rows, columns);
  for (int64_t row = std::max<int64_t>(0, -diagonal); row < rows && row + diagonal < columns; ++row) y.set_int(row * columns + row + diagonal, 1);
}

std::optional<OnnxForm> EyeLike::to_onnx(const Node&) const { return OnnxForm{"EyeLike", {{"dtype", static_cast<int64_t>(dtype)}, {"k", k}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "EyeLike", 9}};
}
const std::span<const OnnxName> EyeLike::kOnnx{kNames};

std::vector<Value*> EyeLike::from_onnx(const OnnxNode& node) {
  const int64_t code = node.attr<int64_t>("dtype", static_cast<int64_t>(node.needed(0)->type.dtype));
  require(dtype_is_known(code), ErrorKind::model, "element type ", code);
  EyeLike op;
  op.dtype = static_cast<DType>(code);
  op.k = node.attr<int64_t>("k", 0);
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(EyeLike)

}  // namespace onecard
