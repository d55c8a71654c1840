#include <algorithm>

#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

TensorType unsqueezed(const TensorType& x, const std::vector<int64_t>& axes) {
  const int64_t rank = x.shape.rank() + static_cast<int64_t>(axes.size());
  require(rank <= kRankLimit, ErrorKind::model, "a result of rank ", rank);
  const auto inserted = axis_indices(axes, rank);
  std::vector<Dim> dims;
  QuantizationPtr quant = x.quant;
  for (int64_t a = 0, from = 0; a < rank; ++a) {
    if (std::find(inserted.begin(), inserted.end(), a) != inserted.end()) {
      dims.push_back(1);
      continue;
    }
    if (x.quant && x.quant->axis == from) {
      Quantization q = *x.quant;
      q.axis = a;
      quant = std::make_shared<const Quantization>(q);
    }
    dims.push_back(x.shape[from++]);
  }
  return TensorType(x.dtype, Shape(dims), quant);
}

}  // namespace

std::vector<TensorType> Unsqueeze::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  const TensorType unranked(x.dtype, Shape::unranked(), x.quant);
  if (!x.shape.has_rank()) return {unranked};
  if (const auto axes = in.ints(1)) return {unsqueezed(x, *axes)};
  const auto count = known_length(in.shape(1));
  if (!count) return {unranked};
  return {TensorType(x.dtype, Shape::unknown(x.shape.rank() + *count), moved_quant(x))};
}

std::optional<std::vector<Dim>> Unsqueeze::infer_contents(const InferContext& in) const { return in.contents(0); }

void Unsqueeze::reference(Inputs in, Outputs out) const {
  const TensorType type = unsqueezed(in[0]->type(), to_ints(*in[1]));
  copy_all(*in[0], allocated(out[0], type.dtype, type.shape.numbers(), type.quant));
}

std::optional<OnnxForm> Unsqueeze::to_onnx(const Node&) const { return OnnxForm{"Unsqueeze", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Unsqueeze", 1}};
}
const std::span<const OnnxName> Unsqueeze::kOnnx{kNames};

std::vector<Value*> Unsqueeze::from_onnx(const OnnxNode& node) {
  Value* axes = list_input(node, "axes", 1);
  require(axes, ErrorKind::model, "has no axes");
  return {node.add_op(Unsqueeze{}, {node.needed(0), axes})};
}

DEFINE_OP(Unsqueeze)

}  // namespace onecard
