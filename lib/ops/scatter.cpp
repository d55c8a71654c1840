#include "lib/ops/scatter.h"

#include <algorithm>

#include "lib/ops/arithmetic.h"
#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"

namespace onecard {

namespace {

template <class T>
T combined(T a, T b, ScatterReduction reduction) {
  if constexpr (std::is_same_v<T, bool>) {
    return reduction == ScatterReduction::add || reduction == ScatterReduction::max ? a || b : a && b;
  } else if constexpr (std::is_integral_v<T>) {
    const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
    switch (reduction) {
      case ScatterReduction::add: return wrap<T>(x + y);
      case ScatterReduction::mul: return wrap<T>(x * y);
      case ScatterReduction::max: return std::max(a, b);
      case ScatterReduction::min: return std::min(a, b);
      default: return b;
    }
  } else {
    const double x = static_cast<double>(a), y = static_cast<double>(b);
    if (reduction == ScatterReduction::add) return narrow<T>(x + y);
    if (reduction == ScatterReduction::mul) return narrow<T>(x * y);
    if (x != x || y != y) return x != x ? a : b;      // NaN stays
    return (reduction == ScatterReduction::max) == (x >= y) ? a : b;
  }
}

}  // namespace

ScatterReduction scatter_reduction(const OnnxNode& node) {
  using R = ScatterReduction;
  return onnx_enum<R>(node, "reduction", "none", {{"none", R::none}, {"add", R::add}, {"mul", R::mul}, {"max", R::max}, {"min", R::min}});
}

void scatter_run(const Tensor& from, int64_t start, Tensor& to, int64_t at, int64_t count, ScatterReduction reduction) {
  if (reduction == ScatterReduction::none) return ElementCopier(from, to)(start, at, count);
  const auto combine = [&]<class T>(TypeTag<T>) {
    const auto x = from.data<T>().subspan(static_cast<size_t>(start), static_cast<size_t>(count));
    const auto y = to.data<T>().subspan(static_cast<size_t>(at), static_cast<size_t>(count));
    for (size_t i = 0; i < x.size(); ++i) y[i] = combined<T>(y[i], x[i], reduction);
  };
  if (to.dtype() == DType::boolean) combine(TypeTag<bool>{});
  else visit_numeric(to.dtype(), combine);
}

}  // namespace onecard
