#include "lib/ops/trilu.h"

#include <algorithm>

#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> Trilu::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(!x.quant, ErrorKind::model, "cuts a quantized value");
  require(!x.shape.has_rank() || x.shape.rank() >= 2, ErrorKind::model, "expects matrices, got ", x.shape);
  if (in.has(1)) require(is_integer(tensor_type(in, 1).dtype), ErrorKind::model, "k must be an integer");
  return {x};
}

void Trilu::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  require(x.rank() >= 2, ErrorKind::model, "expects matrices, got rank ", x.rank());
  const bool has_k = in.size() > 1 && in[1];
  require(!has_k || in[1]->elements() == 1, ErrorKind::model, "k must be one integer");
  const int64_t rows = x.dims()[x.dims().size() - 2], columns = x.dims().back();
  const int64_t k = std::clamp<int64_t>(has_k ? in[1]->int_at(0) : 0, -rows - 1, columns + 1);
  Tensor& y = allocated(out[0], x.dtype(), x.dims());
  if (x.elements() == 0) return;
  const ElementCopier copy(x, y);
  for (int64_t r = 0; r < x.elements() / columns; ++r) {
    // The diagonal belongs to either triangle.
    const int64_t row = r % rows, cut = std::clamp<int64_t>(row + k + (triangle == Triangle::upper ? 0 : 1), 0, columns);
    const int64_t first = triangle == Triangle::upper ? cut : 0, last = triangle == Triangle::upper ? columns : cut;
    fill_elements(y, r * columns, first, nullptr);
    copy(r * columns + first, r * columns + first, last - first);
    fill_elements(y, r * columns + last, columns - last, nullptr);
  }
}

std::optional<OnnxForm> Trilu::to_onnx(const Node&) const { return OnnxForm{"Trilu", {{"upper", int64_t{triangle == Triangle::upper}}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Trilu", 14}, {"com.microsoft", "Trilu", 1}};
}
const std::span<const OnnxName> Trilu::kOnnx{kNames};

std::vector<Value*> Trilu::from_onnx(const OnnxNode& node) {
  Trilu op;
  op.triangle = node.attr<int64_t>("upper", 1) != 0 ? Triangle::upper : Triangle::lower;
  std::vector<Value*> in{node.needed(0)};
  if (node.input(1)) in.push_back(node.input(1));
  return {node.add_op(op, in)};
}

DEFINE_OP(Trilu)

}  // namespace onecard
