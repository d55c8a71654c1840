#include "lib/ops/scatter_values.h"

#include <algorithm>

#include "lib/ops/arithmetic.h"
#include "lib/ops/onnx_enum.h"

namespace onecard {

namespace {

// max and min hand NaN on, as the reductions of tensors do.
template <class T>
T joined(ScatterFn fn, T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    switch (fn) {
      case ScatterFn::add: return wrap<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
      case ScatterFn::mul: return wrap<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
      case ScatterFn::max: return std::max(a, b);
      case ScatterFn::min: return std::min(a, b);
      default: return b;
    }
  } else {
    const double x = static_cast<double>(a), y = static_cast<double>(b);
    switch (fn) {
      case ScatterFn::add: return narrow<T>(x + y);
      case ScatterFn::mul: return narrow<T>(x * y);
      case ScatterFn::max: return y > x || y != y ? b : a;
      case ScatterFn::min: return y < x || y != y ? b : a;
      default: return b;
    }
  }
}

bool joined_flags(ScatterFn fn, bool a, bool b) { return fn == ScatterFn::add || fn == ScatterFn::max ? a || b : a && b; }

}  // namespace

void ElementJoiner::combine(int64_t from, int64_t to, int64_t count) const {
  if (to_.dtype() == DType::boolean) {
    for (int64_t i = 0; i < count; ++i) {
      bool& y = to_.data<bool>()[static_cast<size_t>(to + i)];
      y = joined_flags(fn_, y, updates_.data<bool>()[static_cast<size_t>(from + i)]);
    }
    return;
  }
  visit_numeric(to_.dtype(), [&]<class T>(TypeTag<T>) {
    const T* x = updates_.data<T>().data() + from;
    T* y = to_.data<T>().data() + to;
    for (int64_t i = 0; i < count; ++i) y[i] = joined<T>(fn_, y[i], x[i]);
  });
}

TensorType scattered_type(const InferContext& in, ScatterFn fn) {
  const TensorType &x = tensor_type(in, 0), &indices = tensor_type(in, 1), &updates = tensor_type(in, 2);
  require(is_integer(indices.dtype), ErrorKind::model, "indices must be integers, not ", info(indices.dtype).name);
  require(x.dtype == updates.dtype, ErrorKind::model, "puts ", info(updates.dtype).name, " into ", info(x.dtype).name);
  const auto quant = shared_quant(x, updates);
  const bool can_join = !quant && (is_numeric(x.dtype) || x.dtype == DType::boolean);
  require(fn == ScatterFn::none || can_join, ErrorKind::model, "a reduction of ", x.text());
  return TensorType(x.dtype, x.shape, quant);
}

ScatterFn scatter_fn(const OnnxNode& node) {
  return onnx_enum<ScatterFn>(node, "reduction", "none",
                              {{"none", ScatterFn::none}, {"add", ScatterFn::add}, {"mul", ScatterFn::mul}, {"max", ScatterFn::max}, {"min", ScatterFn::min}});
}

std::string scatter_fn_name(ScatterFn fn) { return std::string(kScatterFnNames[static_cast<size_t>(fn)]); }

}  // namespace onecard
