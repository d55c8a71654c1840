#include "lib/ops/hardmax.h"

#include "lib/ops/axes.h"
#include "lib/ops/flattened.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(Hardmax)
namespace {

constexpr OnnxName kNames[] = {{"", "Hardmax", 1}};

}  // namespace

const std::span<const OnnxName> Hardmax::kOnnx{kNames};

std::vector<TensorType> Hardmax::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  if (x.shape.has_rank()) checked_axis(axis, x.shape.rank());
  return {x};
}

void Hardmax::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  shape_output(out[0], x.dtype(), x.dims());
  const AxisView view = axis_view(x.dims(), axis);
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    T* to = out[0].data<T>().data();
    for (int64_t row = 0; row < view.outer * view.inner && view.extent > 0; ++row) {
      const int64_t at = row / view.inner * view.extent * view.inner + row % view.inner;
      int64_t best = 0;
      for (int64_t i = 1; i < view.extent; ++i)
        if (static_cast<double>(from[at + i * view.inner]) > static_cast<double>(from[at + best * view.inner])) best = i;
      for (int64_t i = 0; i < view.extent; ++i) to[at + i * view.inner] = T(i == best ? 1.0f : 0.0f);
    }
  });
}

std::optional<OnnxForm> Hardmax::to_onnx(const Node&) const { return OnnxForm{"Hardmax", {{"axis", axis}}, {}}; }

std::vector<Value*> Hardmax::from_onnx(const OnnxNode& node) {
  Hardmax op;
  Value* x = node.needed(0);
  const auto axis = node.attr<int64_t>("axis", node.opset < 13 ? 1 : -1);
  const auto single = node.opset < 13 ? single_axis_from(x->type.shape, axis) : std::optional(axis);
  op.axis = single.value_or(-1);
  if (single) return {node.add_op(op, {x})};
  return {on_flattened(node, x, axis, std::make_shared<const Hardmax>(op))};
}

}  // namespace onecard
