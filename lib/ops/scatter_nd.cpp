#include "lib/ops/scatter_nd.h"

#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> ScatterND::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &indices = tensor_type(in, 1), &updates = tensor_type(in, 2);
  require(is_integer(indices.dtype), ErrorKind::model, "indices must be integers, not ", info(indices.dtype).name);
  require(x.dtype == updates.dtype, ErrorKind::model, "writes ", info(updates.dtype).name, " into ", info(x.dtype).name);
  const auto quant = shared_quant(x, updates);
  require(!quant || reduction == ScatterReduction::none, ErrorKind::model, "combines quantized values");
  require(!indices.shape.has_rank() || indices.shape.rank() >= 1, ErrorKind::model, "indices must hold tuples");
  return {TensorType(x.dtype, x.shape, quant)};
}

void ScatterND::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1], &updates = *in[2];
  require(indices.rank() >= 1, ErrorKind::model, "indices must hold tuples");
  const int64_t depth = indices.dims().back();
  require(depth >= 0 && depth <= x.rank(), ErrorKind::model, "tuples of ", depth, " indices into rank ", x.rank());
  Dims wanted(indices.dims().begin(), indices.dims().end() - 1);
  const int64_t tuples = element_count(wanted);
  wanted.insert(wanted.end(), x.dims().begin() + depth, x.dims().end());
  require(updates.dims() == wanted, ErrorKind::model, "updates ", updates.type().shape, " where ", Shape::of(wanted), " are needed");
  Tensor& y = allocated(out[0], x.dtype(), x.dims(), x.type().quant);
  copy_all(x, y);
  const auto strides = row_major_strides(x.dims());
  const int64_t run = extent_product(x.dims(), depth, x.rank());
  for (int64_t t = 0; t < tuples; ++t) {
    int64_t at = 0;
    for (int64_t d = 0; d < depth; ++d) {
      const auto a = static_cast<size_t>(d);
      const int64_t index = indices.int_at(t * depth + d), extent = x.dims()[a];
      require(index >= -extent && index < extent, ErrorKind::model, "index ", index, " of an axis of ", extent);
      at += (index < 0 ? index + extent : index) * strides[a];
    }
    scatter_run(updates, t * run, y, at, run, reduction);
  }
}

std::optional<OnnxForm> ScatterND::to_onnx(const Node&) const {
  return OnnxForm{"ScatterND", {{"reduction", std::string(kScatterReductionNames[static_cast<size_t>(reduction)])}}, ""};
}

namespace {
constexpr OnnxName kNames[] = {{"", "ScatterND", 11}};
}
const std::span<const OnnxName> ScatterND::kOnnx{kNames};

std::vector<Value*> ScatterND::from_onnx(const OnnxNode& node) {
  ScatterND op;
  op.reduction = scatter_reduction(node);
  return {node.add_op(op, {node.needed(0), node.needed(1), node.needed(2)})};
}

DEFINE_OP(ScatterND)

}  // namespace onecard
