#include "lib/ops/cum_sum.h"

#include <algorithm>

#include "lib/ops/axes.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(CumSum)
namespace {

constexpr OnnxName kNames[] = {{"", "CumSum", 11}, {"", "CumProd", 26}};
constexpr std::string_view kOnnxOfFn[] = {"CumSum", "CumProd"};

// Sums and products of integers are modulo 2^bits.
template <class T>
void running(const T* x, T* y, int64_t count, int64_t step, const CumSum& op) {
  const bool adds = op.fn == RunningFn::sum, included = op.own == OwnElement::included;
  std::conditional_t<std::is_integral_v<T>, uint64_t, double> total = adds ? 0 : 1;
  for (int64_t i = 0; i < count; ++i) {
    const auto v = static_cast<decltype(total)>(x[i * step]);
    const auto with = adds ? total + v : total * v;
    if constexpr (std::is_integral_v<T>) y[i * step] = wrap<T>(included ? with : total);
    else y[i * step] = narrow<T>(included ? with : total);
    total = with;
  }
}

}  // namespace

const std::span<const OnnxName> CumSum::kOnnx{kNames};

std::vector<TensorType> CumSum::infer(const InferContext& in) const {
  const TensorType& x = plain_tensor(in, 0);
  require(is_numeric(x.dtype), ErrorKind::model, "is not defined on ", info(x.dtype).name);
  require(in.dtype(1) == DType::i32 || in.dtype(1) == DType::i64, ErrorKind::model, "the axis is ", info(in.dtype(1)).name, "; it must be i32 or i64");
  if (const auto axis = in.ints(1)) {
    require(axis->size() == 1, ErrorKind::model, "takes one axis, got ", axis->size());
    if (x.shape.has_rank()) checked_axis(axis->front(), x.shape.rank());
  }
  return {x};
}

void CumSum::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  require(in[1]->elements() == 1, ErrorKind::model, "takes one axis, got ", in[1]->elements());
  shape_output(out[0], x.dtype(), x.dims());
  const AxisView view = axis_view(x.dims(), in[1]->int_at(0));
  const int64_t first = order == SumOrder::forward ? 0 : (view.extent - 1) * view.inner, step = order == SumOrder::forward ? view.inner : -view.inner;
  visit_numeric(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    T* to = out[0].data<T>().data();
    for (int64_t row = 0; view.extent > 0 && row < view.outer * view.inner; ++row) {
      const int64_t at = row / view.inner * view.extent * view.inner + row % view.inner + first;
      running(from + at, to + at, view.extent, step, *this);
    }
  });
}

std::optional<OnnxForm> CumSum::to_onnx(const Node&) const {
  return OnnxForm{std::string(kOnnxOfFn[static_cast<size_t>(fn)]), {{"exclusive", int64_t{own == OwnElement::excluded}}, {"reverse", int64_t{order == SumOrder::reverse}}}, {}};
}

std::vector<Value*> CumSum::from_onnx(const OnnxNode& node) {
  CumSum op;
  op.fn = static_cast<RunningFn>(std::find(std::begin(kOnnxOfFn), std::end(kOnnxOfFn) - 1, node.op_type) - std::begin(kOnnxOfFn));
  op.order = node.attr<int64_t>("reverse", 0) != 0 ? SumOrder::reverse : SumOrder::forward;
  op.own = node.attr<int64_t>("exclusive", 0) != 0 ? OwnElement::excluded : OwnElement::included;
  return {node.add_op(op, {node.needed(0), node.needed(1)})};
}

}  // namespace onecard
