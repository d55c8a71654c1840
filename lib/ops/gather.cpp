#include "lib/ops/data_ops.h"
#include "lib/ops/index_place.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> Gather::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  const TensorType& indices = tensor_type(in, 1);
  require(is_integer(indices.dtype), ErrorKind::model, "indices must be integers, not ", info(indices.dtype).name);
  const auto quant = moved_quant(x);
  if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  const int64_t along = checked_axis(axis, x.shape.rank());
  if (!indices.shape.has_rank()) return {TensorType(x.dtype, Shape::unranked(), quant)};
  std::vector<Dim> dims(x.shape.dims().begin(), x.shape.dims().begin() + along);
  dims.insert(dims.end(), indices.shape.dims().begin(), indices.shape.dims().end());
  dims.insert(dims.end(), x.shape.dims().begin() + along + 1, x.shape.dims().end());
  return {TensorType(x.dtype, Shape(dims), quant)};
}

std::optional<std::vector<Dim>> Gather::infer_contents(const InferContext& in) const {
  if (!is_integer(in.dtype(0)) || !in.shape(0).has_rank() || in.shape(0).rank() != 1) return std::nullopt;
  const auto x = in.contents(0);
  const auto indices = in.ints(1);
  if (!x || !indices || static_cast<int64_t>(indices->size()) > kContentsLimit) return std::nullopt;
  std::vector<Dim> picked;
  for (int64_t i : *indices) picked.push_back((*x)[static_cast<size_t>(place_of(i, static_cast<int64_t>(x->size())))]);
  return picked;
}

void Gather::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &indices = *in[1];
  const int64_t along = checked_axis(axis, x.rank());
  const AxisView from = axis_view(x.dims(), along);
  Dims dims(x.dims().begin(), x.dims().begin() + along);
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), x.dims().begin() + along + 1, x.dims().end());
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  const ElementCopier copy(x, y);
  std::vector<int64_t> places = to_ints(indices);
  for (int64_t& p : places) p = place_of(p, from.extent);
  int64_t at = 0;
  for (int64_t o = 0; o < from.outer; ++o) {
    for (const int64_t p : places) {
      copy((o * from.extent + p) * from.inner, at, from.inner);
      at += from.inner;
    }
  }
}

std::optional<OnnxForm> Gather::to_onnx(const Node&) const { return OnnxForm{"Gather", {{"axis", axis}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Gather", 1}};
}
const std::span<const OnnxName> Gather::kOnnx{kNames};

std::vector<Value*> Gather::from_onnx(const OnnxNode& node) {
  Gather op;
  op.axis = node.attr<int64_t>("axis", 0);
  return {node.add_op(op, {node.needed(0), node.needed(1)})};
}

DEFINE_OP(Gather)

}  // namespace onecard
