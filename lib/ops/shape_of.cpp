#include <algorithm>

#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

// The axes [first, last) that are asked for.
std::pair<int64_t, int64_t> asked(int64_t start, int64_t end, int64_t rank) {
  const auto place = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  return {place(start), std::max(place(start), place(end))};
}

}  // namespace

std::vector<TensorType> ShapeOf::infer(const InferContext& in) const {
  const Shape& x = tensor_type(in, 0).shape;
  if (!x.has_rank()) return {TensorType(DType::i64, Shape::unknown(1))};
  const auto [first, last] = asked(start, end, x.rank());
  return {TensorType(DType::i64, Shape{Dim(last - first)})};
}

std::optional<std::vector<Dim>> ShapeOf::infer_contents(const InferContext& in) const {
  const Shape& x = in.shape(0);
  if (!x.has_rank()) return std::nullopt;
  const auto [first, last] = asked(start, end, x.rank());
  return std::vector<Dim>(x.dims().begin() + first, x.dims().begin() + last);
}

void ShapeOf::reference(Inputs in, Outputs out) const {
  const Dims& dims = in[0]->dims();
  const auto [first, last] = asked(start, end, in[0]->rank());
  Tensor& y = allocated(out[0], DType::i64, {last - first});
  std::copy(dims.begin() + first, dims.begin() + last, y.data<int64_t>().begin());
}

std::optional<OnnxForm> ShapeOf::to_onnx(const Node&) const {
  OnnxForm form{"Shape", {}, ""};
  if (start != 0) form.attributes["start"] = start;
  if (end != INT64_MAX) form.attributes["end"] = end;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "Shape", 1}};
}
const std::span<const OnnxName> ShapeOf::kOnnx{kNames};

std::vector<Value*> ShapeOf::from_onnx(const OnnxNode& node) {
  ShapeOf op;
  op.start = node.attr<int64_t>("start", 0);
  op.end = node.attr<int64_t>("end", INT64_MAX);
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(ShapeOf)

}  // namespace onecard
