#include "lib/ops/arg_extreme.h"

#include "lib/base/parallel.h"
#include "lib/ops/axes.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(ArgExtreme)
namespace {

constexpr OnnxName kNames[] = {{"", "ArgMax", 1}, {"", "ArgMin", 1}};

// Whether v takes the place of the best so far; a NaN, once met, is kept, as numpy has it.
template <class T>
bool better(Extreme extreme, Among among, const T& v, const T& best) {
  if constexpr (!std::is_integral_v<T>) {
    const double a = static_cast<double>(v), b = static_cast<double>(best);
    if (std::isnan(b)) return false;
    if (std::isnan(a)) return true;
    return (extreme == Extreme::max ? a > b : a < b) || (among == Among::last && a == b);
  } else {
    return (extreme == Extreme::max ? v > best : v < best) || (among == Among::last && v == best);
  }
}

Shape result_shape(const Shape& x, int64_t axis, KeepDims keep) {
  std::vector<Dim> dims = x.dims();
  const auto at = dims.begin() + checked_axis(axis, x.rank());
  if (keep == KeepDims::yes) *at = Dim(1);
  else dims.erase(at);
  return Shape(dims);
}

}  // namespace

const std::span<const OnnxName> ArgExtreme::kOnnx{kNames};

std::vector<TensorType> ArgExtreme::infer(const InferContext& in) const {
  const TensorType& x = plain_tensor(in, 0);
  require(is_numeric(x.dtype), ErrorKind::model, "is not defined on ", info(x.dtype).name);
  if (!x.shape.has_rank()) return {TensorType(DType::i64, Shape::unranked())};
  const Shape y = result_shape(x.shape, axis, keep_dims);
  require(!(x.shape[checked_axis(axis, x.shape.rank())] == Dim(0)) || y.elements() == Dim(0), ErrorKind::model, "axis ", axis, " of ", x,
          " holds no element to choose");
  return {TensorType(DType::i64, y)};
}

void ArgExtreme::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  shape_output(out[0], DType::i64, result_shape(Shape::of(x.dims()), axis, keep_dims).numbers());
  const AxisView view = axis_view(x.dims(), axis);
  require(view.extent > 0 || view.outer * view.inner == 0, ErrorKind::model, "axis ", axis, " of ", x.type(), " holds no element to choose");
  const auto y = out[0].data<int64_t>();
  if (x.elements() == 0) {
    for (auto& v : y) v = 0;
    return;
  }
  visit_numeric(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    parallel_for(view.outer * view.inner, std::max<int64_t>(1, 8192 / view.extent), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* line = from + row / view.inner * view.extent * view.inner + row % view.inner;
        int64_t best = 0;
        for (int64_t i = 1; i < view.extent; ++i)
          if (better(extreme, among_equals, line[i * view.inner], line[best * view.inner])) best = i;
        y[static_cast<size_t>(row)] = best;
      }
    });
  });
}

std::optional<OnnxForm> ArgExtreme::to_onnx(const Node&) const {
  return OnnxForm{extreme == Extreme::max ? "ArgMax" : "ArgMin",
                  {{"axis", axis}, {"keepdims", int64_t{keep_dims == KeepDims::yes}}, {"select_last_index", int64_t{among_equals == Among::last}}},
                  {}};
}

std::vector<Value*> ArgExtreme::from_onnx(const OnnxNode& node) {
  ArgExtreme op;
  op.extreme = node.op_type == "ArgMax" ? Extreme::max : Extreme::min;
  op.axis = node.attr<int64_t>("axis", 0);
  op.keep_dims = node.attr<int64_t>("keepdims", 1) != 0 ? KeepDims::yes : KeepDims::no;
  op.among_equals = node.attr<int64_t>("select_last_index", 0) != 0 ? Among::last : Among::first;
  return {node.add_op(op, {node.needed(0)})};
}

}  // namespace onecard
