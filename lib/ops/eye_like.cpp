#include "lib/ops/eye_like.h"

#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> EyeLike::infer(const InferContext& in) const {
  const Shape& x = tensor_type(in, 0).shape;
  require(!x.has_rank() || x.rank() == 2, ErrorKind::model, "expects a matrix, got ", x);
  require(info(dtype).bits >= 8 && info(dtype).kind != DKind::complex, ErrorKind::model, "gives ", info(dtype).name);
  return {TensorType(dtype, x.has_rank() ? x : Shape::unknown(2))};
}

void EyeLike::reference(Inputs in, Outputs out) const {
  const Dims& dims = in[0]->dims();
  require(dims.size() == 2, ErrorKind::model, "expects a matrix, got rank ", dims.size());
  Tensor& y = allocated(out[0], dtype, dims);
  fill_elements(y, 0, y.elements(), nullptr);
  if (k <= -dims[0] || k >= dims[1]) return;
  for (int64_t row = k < 0 ? -k : 0; row < dims[0] && row + k < dims[1]; ++row) y.set_int(row * dims[1] + row + k, 1);
}

std::optional<OnnxForm> EyeLike::to_onnx(const Node&) const { return OnnxForm{"EyeLike", {{"k", k}, {"dtype", static_cast<int64_t>(dtype)}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "EyeLike", 9}};
}
const std::span<const OnnxName> EyeLike::kOnnx{kNames};

std::vector<Value*> EyeLike::from_onnx(const OnnxNode& node) {
  EyeLike op;
  op.k = node.attr<int64_t>("k", 0);
  const auto code = node.attr<int64_t>("dtype", static_cast<int64_t>(node.needed(0)->type.dtype));
  require(dtype_is_known(code), ErrorKind::model, "attribute 'dtype' is ", code);
  op.dtype = static_cast<DType>(code);
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(EyeLike)

}  // namespace onecard
