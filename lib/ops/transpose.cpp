#include "lib/ops/broadcast_index.h"
#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

std::vector<int64_t> full_perm(const std::vector<int64_t>& perm, int64_t rank) {
  if (perm.empty()) {
    std::vector<int64_t> reversed;
    for (int64_t i = rank; i-- > 0;) reversed.push_back(i);
    return reversed;
  }
  require(static_cast<int64_t>(perm.size()) == rank, ErrorKind::model, "perm has ", perm.size(), " axes, the tensor ", rank);
  return axis_indices(perm, rank);
}

TensorType transposed(const TensorType& x, const std::vector<int64_t>& perm) {
  std::vector<Dim> dims;
  QuantizationPtr quant = x.quant;
  for (int64_t from : perm) {
    if (x.quant && x.quant->axis == from) {
      Quantization q = *x.quant;
      q.axis = static_cast<int64_t>(dims.size());
      quant = std::make_shared<const Quantization>(q);
    }
    dims.push_back(x.shape[from]);
  }
  return TensorType(x.dtype, Shape(dims), quant);
}

}  // namespace

std::vector<TensorType> Transpose::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  if (x.shape.has_rank()) return {transposed(x, full_perm(perm, x.shape.rank()))};
  return {TensorType(x.dtype, perm.empty() ? Shape::unranked() : Shape::unknown(static_cast<int64_t>(perm.size())), moved_quant(x))};
}

void Transpose::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const auto order = full_perm(perm, x.rank());
  const TensorType type = transposed(x.type(), order);
  Tensor& y = allocated(out[0], x.dtype(), type.shape.numbers(), type.quant);
  // Trailing axes that stay in place move as one block.
  int64_t moved = x.rank(), block = 1;
  while (moved > 0 && order[static_cast<size_t>(moved - 1)] == moved - 1) block *= x.dims()[static_cast<size_t>(--moved)];
  if (block == 0) return;
  const auto strides = row_major_strides(x.dims());
  Dims extents;
  std::array<std::vector<int64_t>, 1> steps;
  for (int64_t a = 0; a < moved; ++a) {
    extents.push_back(y.dims()[static_cast<size_t>(a)]);
    steps[0].push_back(strides[static_cast<size_t>(order[static_cast<size_t>(a)])]);
  }
  const ElementCopier copy(x, y);
  walk(extents, steps, 0, element_count(extents), [&](int64_t i, const auto& from) { copy(from[0], i * block, block); });
}

std::optional<OnnxForm> Transpose::to_onnx(const Node&) const {
  OnnxForm form{"Transpose", {}, ""};
  if (!perm.empty()) form.attributes["perm"] = perm;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "Transpose", 1}};
}
const std::span<const OnnxName> Transpose::kOnnx{kNames};

std::vector<Value*> Transpose::from_onnx(const OnnxNode& node) {
  Transpose op;
  op.perm = node.attr<std::vector<int64_t>>("perm", {});
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(Transpose)

}  // namespace onecard
