#include "lib/ops/max_unpool.h"

#include "lib/ops/real_values.h"
#include "lib/ops/window.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "MaxUnpool", 9}};

// The shape that the pooling's geometry gives back.
Shape unpooled(const MaxUnpool& op, const Shape& x) {
  const auto spatial = static_cast<int64_t>(op.kernel.size());
  const Window w{op.strides, {}, op.pads, AutoPad::notset};
  check_window(w, spatial);
  if (!x.has_rank()) return Shape::unknown(spatial + 2);
  require(x.rank() == spatial + 2, ErrorKind::model, "kernel_shape has ", spatial, " numbers for an input of shape ", x);
  Shape y = x;
  for (size_t i = 0; i < op.kernel.size(); ++i) {
    check_kernel_extent(op.kernel[i]);
    const auto axis = static_cast<int64_t>(i) + 2;
    y[axis] = (x[axis] - 1) * Dim(w.stride(i)) + Dim(op.kernel[i] - w.pad_begin(i) - w.pad_end(i));
    if (const auto n = y[axis].maybe()) require(*n >= 0, ErrorKind::model, "the result would have ", *n, " elements along spatial axis ", i);
  }
  return y;
}

}  // namespace

std::vector<TensorType> MaxUnpool::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  visit_float(x.dtype, [](auto) {});
  require(in.dtype(1) == DType::i64, ErrorKind::model, "the indices are ", info(in.dtype(1)).name);
  Shape y = unpooled(*this, x.shape);
  if (!in.has(2)) return {TensorType(x.dtype, y)};
  const auto wanted = in.contents(2);
  if (!wanted) return {TensorType(x.dtype, Shape::unknown(y.rank()))};
  require(static_cast<int64_t>(wanted->size()) == y.rank(), ErrorKind::model, "output_shape has ", wanted->size(), " numbers for rank ", y.rank());
  for (int64_t i = 0; i < y.rank(); ++i) {
    const Dim& d = (*wanted)[static_cast<size_t>(i)];
    const bool fits = !d.is_number() || (d.number() >= 0 && (!y[i].is_number() || d.number() >= y[i].number()));
    require(fits, ErrorKind::model, "output_shape holds ", d, " where the pooling gives ", y[i]);
    y[i] = d;
  }
  return {TensorType(x.dtype, y)};
}

void MaxUnpool::reference(Inputs in, Outputs out) const {
  const Dims pooled = unpooled(*this, in[0]->type().shape).numbers();
  if (!out[0].has_value()) out[0] = Tensor(in[0]->dtype(), in.size() > 2 && in[2] ? Dims(to_ints(*in[2])) : pooled);
  const Dims y = out[0].dims();
  for (size_t a = 0; a < y.size(); ++a)
    require(y[a] >= pooled[a], ErrorKind::model, "output_shape holds ", y[a], " where the pooling gives ", pooled[a]);
  require(in[1]->elements() == in[0]->elements(), ErrorKind::model, in[1]->elements(), " indices for ", in[0]->elements(), " elements");
  const int64_t cells = element_count(pooled);
  const std::vector<int64_t> strides = row_major_strides(y);
  for (int64_t i = 0; i < out[0].elements(); ++i) out[0].set(i, 0);
  for (int64_t i = 0; i < in[0]->elements(); ++i) {
    int64_t rest = in[1]->int_at(i), at = 0;
    require(rest >= 0 && rest < cells, ErrorKind::model, "index ", rest, " is outside the ", cells, " elements of the unpooled tensor");
    for (size_t a = y.size(); a-- > 0; rest /= pooled[a]) at += rest % pooled[a] * strides[a];
    out[0].set(at, in[0]->at(i));
  }
}

std::optional<OnnxForm> MaxUnpool::to_onnx(const Node&) const {
  OnnxForm form{"MaxUnpool", {{"kernel_shape", kernel}}, ""};
  put_list(form, "strides", strides);
  put_list(form, "pads", pads);
  return form;
}

const std::span<const OnnxName> MaxUnpool::kOnnx{kNames};

std::vector<Value*> MaxUnpool::from_onnx(const OnnxNode& node) {
  MaxUnpool op;
  op.kernel = node.needed_attr<std::vector<int64_t>>("kernel_shape");
  op.strides = onnx_list(node, "strides", 1);
  op.pads = onnx_list(node, "pads", 0);
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  if (node.input(2)) in.push_back(node.input(2));
  return node.add_all(std::move(op), std::move(in));
}

DEFINE_OP(MaxUnpool)

}  // namespace onecard
