#include <algorithm>

#include "lib/ops/generate_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> Trilu::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(!x.quant, ErrorKind::model, "puts zeros into quantized values (", x.text(), ")");
  require(!x.shape.has_rank() || x.shape.rank() >= 2, ErrorKind::model, "takes matrices, not ", x.shape.text());
  return {TensorType(x.dtype, x.shape)};
}

void Trilu::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  require(x.rank() >= 2, ErrorKind::model, "takes matrices, not ", x.type().text());
  const int64_t rows = x.dims()[x.dims().size() - 2], columns = x.dims().back();
  int64_t k = 0;
  if (in.size() > 1 && in[1]) {
    require(in[1]->elements() == 1, ErrorKind::model, "k is ", in[1]->type().text());
    k = std::clamp(in[1]->int_at(0), -rows - 1, columns + 1);
  }
  Tensor& y = allocated(out[0], x.dtype(), x.dims());
  if (y.elements() == 0) return;
  const ElementCopier copy(x, y);
  for (int64_t row = 0; row < x.elements() / columns; ++row) {
    // Columns [0, cut) lie below the first diagonal that is kept above, or up to the last one kept below.
    const int64_t diagonal = row % rows + k, at = row * columns;
    if (triangle == Triangle::upper) {
      const int64_t cut = std::clamp<int64_t>(diagonal, 0, columns);
      fill_elements(y, at, cut, nullptr);
      copy(at + cut, at + cut, columns - cut);
    } else {
      const int64_t cut = std::clamp<int64_t>(diagonal + 1, 0, columns);
      copy(at, at, cut);
      fill_elements(y, at + cut, columns - cut, nullptr);
    }
  }
}

std::optional<OnnxForm> Trilu::to_onnx(const Node&) const { return OnnxForm{"Trilu", {{"upper", int64_t{triangle == Triangle::upper}}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Trilu", 14}};
}
const std::span<const OnnxName> Trilu::kOnnx{kNames};

std::vector<Value*> Trilu::from_onnx(const OnnxNode& node) {
  Trilu op;
  op.triangle = node.attr<int64_t>("upper", 1) != 0 ? Triangle::upper : Triangle::lower;
  node.needed(0);
  return {node.add_op(op, node.inputs)};
}

DEFINE_OP(Trilu)

}  // namespace onecard
