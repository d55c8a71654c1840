#include "lib/ops/lrn.h"

#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/axes.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(Lrn)
namespace {

constexpr OnnxName kNames[] = {{"", "LRN", 1}};

}  // namespace

const std::span<const OnnxName> Lrn::kOnnx{kNames};

std::vector<TensorType> Lrn::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  require(size > 0, ErrorKind::model, "size is ", size);
  require(!x.shape.has_rank() || x.shape.rank() >= 2, ErrorKind::model, "expects at least two axes, got ", x);
  return {x};
}

void Lrn::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  shape_output(out[0], x.dtype(), x.dims());
  const AxisView view = axis_view(x.dims(), 1);
  if (x.elements() == 0) return;
  const int64_t before = (size - 1) / 2, after = size - 1 - before;
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    T* to = out[0].data<T>().data();
    parallel_for(view.outer * view.extent, 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t c = row % view.extent, first = c - std::min(c, before), last = c + std::min(view.extent - 1 - c, after);
        for (int64_t i = 0; i < view.inner; ++i) {
          double squares = 0;
          for (int64_t n = first; n <= last; ++n) {
            const auto v = static_cast<double>(from[(row - c + n) * view.inner + i]);
            squares += v * v;
          }
          const double base = static_cast<double>(bias) + static_cast<double>(alpha) / static_cast<double>(size) * squares;
          to[row * view.inner + i] = narrow<T>(static_cast<double>(from[row * view.inner + i]) / std::pow(base, static_cast<double>(beta)));
        }
      }
    });
  });
}

std::optional<OnnxForm> Lrn::to_onnx(const Node&) const {
  return OnnxForm{"LRN", {{"size", size}, {"alpha", alpha}, {"beta", beta}, {"bias", bias}}, {}};
}

std::vector<Value*> Lrn::from_onnx(const OnnxNode& node) {
  Lrn op;
  op.size = node.needed_attr<int64_t>("size");
  op.alpha = node.attr("alpha", 1e-4f);
  op.beta = node.attr("beta", 0.75f);
  op.bias = node.attr("bias", 1.0f);
  return {node.add_op(op, {node.needed(0)})};
}

}  // namespace onecard
