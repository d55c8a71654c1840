#include "lib/ops/softmax.h"

#include "lib/base/parallel.h"
#include "lib/ops/axes.h"
#include "lib/ops/flattened.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(Softmax)
namespace {

constexpr OnnxName kNames[] = {{"", "Softmax", 1}, {"", "LogSoftmax", 1}};

// One row of `count` elements `step` apart.
template <class T>
void softmax_row(const T* x, T* y, int64_t count, int64_t step, SoftmaxForm form) {
  double top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double v = static_cast<double>(x[i * step]);
    if (!(v <= top)) top = v;  // takes a NaN and keeps it, since no comparison with it holds but this one
    if (std::isnan(top)) break;
  }
  for (int64_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(x[i * step]) - top);
  const double log_sum = std::log(sum);
  for (int64_t i = 0; i < count; ++i) {
    const double v = static_cast<double>(x[i * step]) - top;
    y[i * step] = narrow<T>(form == SoftmaxForm::plain ? std::exp(v) / sum : v - log_sum);
  }
}

}  // namespace

const std::span<const OnnxName> Softmax::kOnnx{kNames};

std::vector<TensorType> Softmax::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  if (x.shape.has_rank()) checked_axis(axis, x.shape.rank());
  return {x};
}

void Softmax::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  shape_output(out[0], x.dtype(), x.dims());
  const AxisView view = axis_view(x.dims(), axis);
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    T* to = out[0].data<T>().data();
    parallel_for(view.outer * view.inner, std::max<int64_t>(1, 4096 / std::max<int64_t>(1, view.extent)), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t at = row / view.inner * view.extent * view.inner + row % view.inner;
        softmax_row(from + at, to + at, view.extent, view.inner, form);
      }
    });
  });
}

std::optional<OnnxForm> Softmax::to_onnx(const Node&) const {
  return OnnxForm{form == SoftmaxForm::plain ? "Softmax" : "LogSoftmax", {{"axis", axis}}, {}};
}

std::vector<Value*> Softmax::from_onnx(const OnnxNode& node) {
  Softmax op;
  op.form = node.op_type == "LogSoftmax" ? SoftmaxForm::log : SoftmaxForm::plain;
  Value* x = node.needed(0);
  op.axis = node.attr<int64_t>("axis", node.opset < 13 ? 1 : -1);
  if (node.opset >= 13) return {node.add_op(op, {x})};
  const int64_t cut = op.axis;
  const auto single = single_axis_from(x->type.shape, cut);
  op.axis = single.value_or(-1);
  if (single) return {node.add_op(op, {x})};
  return {on_flattened(node, x, cut, std::make_shared<const Softmax>(op))};
}

}  // namespace onecard
