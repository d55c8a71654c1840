#include "lib/ops/reduce.h"

#include <algorithm>
#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/axes.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(Reduce)
namespace {

struct ReduceForm {
  ReduceFn fn;
  std::string_view op_type;
};
constexpr ReduceForm kForms[] = {{ReduceFn::sum, "ReduceSum"},
                                 {ReduceFn::mean, "ReduceMean"},
                                 {ReduceFn::max, "ReduceMax"},
                                 {ReduceFn::min, "ReduceMin"},
                                 {ReduceFn::prod, "ReduceProd"},
                                 {ReduceFn::l1, "ReduceL1"},
                                 {ReduceFn::l2, "ReduceL2"},
                                 {ReduceFn::log_sum, "ReduceLogSum"},
                                 {ReduceFn::log_sum_exp, "ReduceLogSumExp"},
                                 {ReduceFn::sum_square, "ReduceSumSquare"}};
constexpr auto kNames = [] {
  std::array<OnnxName, std::size(kForms)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = {"", kForms[i].op_type, 1};
  return names;
}();

// For each axis whether it is reduced.
std::vector<char> reduced_axes(const std::vector<int64_t>& axes, int64_t rank, WhenNoAxes when_no_axes) {
  if (axes.empty()) return std::vector<char>(static_cast<size_t>(rank), when_no_axes == WhenNoAxes::reduce_all);
  return axis_mask(axes, rank);
}

Shape reduced_shape(const Shape& x, const std::vector<char>& reduced, KeepDims keep) {
  std::vector<Dim> dims;
  for (int64_t i = 0; i < x.rank(); ++i) {
    if (!reduced[static_cast<size_t>(i)]) dims.push_back(x[i]);
    else if (keep == KeepDims::yes) dims.push_back(Dim(1));
  }
  return Shape(dims);
}

// The shape when the axes are known only at run time.
Shape shape_of_unknown_axes(const Shape& x, const Shape& axes, KeepDims keep, WhenNoAxes when_no_axes) {
  const auto count = known_length(axes);
  if (count == 0) return reduced_shape(x, reduced_axes({}, x.rank(), when_no_axes), keep);
  if (keep == KeepDims::no) {
    if (!count) return Shape::unranked();
    require(*count <= x.rank(), ErrorKind::model, "reduces ", *count, " axes of ", x);
    return Shape::unknown(x.rank() - *count);
  }
  Shape y = Shape::unknown(x.rank());
  for (int64_t i = 0; i < x.rank(); ++i)
    if (x[i] == Dim(1)) y[i] = Dim(1);
  return y;
}

// A tensor's elements in groups, one per element of the result: offsets[g] + runs[j] + i * step for every j and 0 <= i < count.
struct Groups {
  std::vector<int64_t> offsets, runs;
  int64_t count = 1, step = 1;
  int64_t size() const { return static_cast<int64_t>(runs.size()) * count; }
};

std::vector<int64_t> all_offsets(const Dims& extents, const std::vector<int64_t>& strides) {
  std::vector<int64_t> at(static_cast<size_t>(element_count(extents)));
  walk(extents, std::array{strides}, 0, static_cast<int64_t>(at.size()),
       [&](int64_t i, const std::array<int64_t, 1>& offset) { at[static_cast<size_t>(i)] = offset[0]; });
  return at;
}

Groups groups_of(const Dims& x, const std::vector<char>& reduced) {
  const auto strides = row_major_strides(x);
  Dims kept, gone;
  std::vector<int64_t> kept_strides, gone_strides;
  for (size_t i = 0; i < x.size(); ++i) {
    Dims& extents = reduced[i] ? gone : kept;
    auto& steps = reduced[i] ? gone_strides : kept_strides;
    if (i > 0 && reduced[i] == reduced[i - 1]) {  // two neighbours are one longer axis
      extents.back() *= x[i];
      steps.back() = strides[i];
    } else {
      extents.push_back(x[i]);
      steps.push_back(strides[i]);
    }
  }
  Groups g;
  if (!gone.empty()) {
    g.count = gone.back(), g.step = gone_strides.back();
    gone.pop_back(), gone_strides.pop_back();
  }
  g.runs = all_offsets(gone, gone_strides);
  g.offsets = all_offsets(kept, kept_strides);
  return g;
}

// Calls f with every element of the group that begins at `x`.
template <class T, class F>
void each(const Groups& g, const T* x, F&& f) {
  for (const int64_t run : g.runs)
    for (int64_t i = 0; i < g.count; ++i) f(x[run + i * g.step]);
}

// log(sum(exp(x))), shifted by the largest x so that nothing overflows.
template <class T>
double log_sum_exp(const Groups& g, const T* x) {
  double top = -INFINITY, sum = 0;
  each(g, x, [&](T v) { top = std::max(top, static_cast<double>(v)); });
  if (!std::isfinite(top)) top = 0;
  each(g, x, [&](T v) { sum += std::exp(static_cast<double>(v) - top); });
  return std::log(sum) + top;
}

// The largest (or, with sign -1, the smallest) element; NaN when there is one.
template <class T>
double extreme(const Groups& g, const T* x, double sign) {
  double best = -INFINITY;
  bool nan = false;
  each(g, x, [&](T v) {
    const double d = sign * static_cast<double>(v);
    nan = nan || std::isnan(d);
    best = std::max(best, d);
  });
  return nan ? NAN : sign * best;
}

template <class T>
double real_result(ReduceFn fn, const Groups& g, const T* x) {
  double a = fn == ReduceFn::prod ? 1 : 0;
  const auto fold = [&](auto f) {
    each(g, x, [&](T v) { f(static_cast<double>(v)); });
    return a;
  };
  switch (fn) {
    case ReduceFn::sum: return fold([&](double v) { a += v; });
    case ReduceFn::mean: return fold([&](double v) { a += v; }) / static_cast<double>(g.size());
    case ReduceFn::max: return extreme(g, x, 1);
    case ReduceFn::min: return extreme(g, x, -1);
    case ReduceFn::prod: return fold([&](double v) { a *= v; });
    case ReduceFn::l1: return fold([&](double v) { a += std::abs(v); });
    case ReduceFn::l2: return std::sqrt(fold([&](double v) { a += v * v; }));
    case ReduceFn::log_sum: return std::log(fold([&](double v) { a += v; }));
    case ReduceFn::log_sum_exp: return log_sum_exp(g, x);
    case ReduceFn::sum_square: return fold([&](double v) { a += v * v; });
  }
  fail(ErrorKind::internal, "no such reduction");
}

// Sums and products are modulo 2^bits; means and roots are rounded toward zero.
template <class T>
T integer_result(ReduceFn fn, const Groups& g, const T* x) {
  uint64_t a = fn == ReduceFn::prod ? 1 : 0;
  const auto fold = [&](auto f) {
    each(g, x, [&](T v) { f(static_cast<uint64_t>(v)); });
    return a;
  };
  switch (fn) {
    case ReduceFn::sum: return wrap<T>(fold([&](uint64_t v) { a += v; }));
    case ReduceFn::prod: return wrap<T>(fold([&](uint64_t v) { a *= v; }));
    case ReduceFn::l1: return wrap<T>(fold([&](uint64_t v) { a += std::is_signed_v<T> && v >> 63 ? uint64_t{0} - v : v; }));
    case ReduceFn::sum_square: return wrap<T>(fold([&](uint64_t v) { a += v * v; }));
    case ReduceFn::mean: {
      if (g.size() == 0) return 0;
      fold([&](uint64_t v) { a += v; });
      const auto n = static_cast<uint64_t>(g.size());
      return std::is_signed_v<T> ? static_cast<T>(static_cast<int64_t>(a) / static_cast<int64_t>(n)) : static_cast<T>(a / n);
    }
    case ReduceFn::max: {
      T best = std::numeric_limits<T>::min();
      each(g, x, [&](T v) { best = std::max(best, v); });
      return best;
    }
    case ReduceFn::min: {
      T best = std::numeric_limits<T>::max();
      each(g, x, [&](T v) { best = std::min(best, v); });
      return best;
    }
    default: return narrow<T>(real_result(fn, g, x));
  }
}

template <class T>
void reduce_all(ReduceFn fn, const Groups& g, const Tensor& x, Tensor& y) {
  const T* from = x.data<T>().data();
  T* to = y.data<T>().data();
  parallel_for(static_cast<int64_t>(g.offsets.size()), std::max<int64_t>(1, 16384 / std::max<int64_t>(1, g.size())), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* group = from + g.offsets[static_cast<size_t>(i)];
      if constexpr (std::is_integral_v<T>) to[i] = integer_result(fn, g, group);
      else to[i] = narrow<T>(real_result(fn, g, group));
    }
  });
}

void reduce_booleans(ReduceFn fn, const Groups& g, const bool* x, std::span<bool> y) {
  for (size_t i = 0; i < y.size(); ++i) {
    bool any = false, all = true;
    each(g, x + g.offsets[i], [&](bool v) { any = any || v, all = all && v; });
    y[i] = fn == ReduceFn::max ? any : all;
  }
}

}  // namespace

const std::span<const OnnxName> Reduce::kOnnx{kNames};

std::vector<TensorType> Reduce::infer(const InferContext& in) const {
  const TensorType& x = plain_tensor(in, 0);
  const bool fits = is_numeric(x.dtype) || (x.dtype == DType::boolean && (fn == ReduceFn::max || fn == ReduceFn::min));
  require(fits, ErrorKind::model, kReduceFnNames[static_cast<size_t>(fn)], " is not defined on ", info(x.dtype).name);
  std::optional<std::vector<int64_t>> axes = std::vector<int64_t>{};
  if (in.has(1)) {
    require(in.dtype(1) == DType::i64, ErrorKind::model, "the axes are ", info(in.dtype(1)).name, "; they must be i64");
    axes = in.ints(1);
  }
  if (!x.shape.has_rank()) {
    const bool to_scalar = axes && axes->empty() && when_no_axes == WhenNoAxes::reduce_all && keep_dims == KeepDims::no;
    return {TensorType(x.dtype, to_scalar ? Shape{} : Shape::unranked())};
  }
  if (!axes) return {TensorType(x.dtype, shape_of_unknown_axes(x.shape, in.shape(1), keep_dims, when_no_axes))};
  return {TensorType(x.dtype, reduced_shape(x.shape, reduced_axes(*axes, x.shape.rank(), when_no_axes), keep_dims))};
}

std::optional<std::vector<Dim>> Reduce::infer_contents(const InferContext& in) const {
  if (in.dtype(0) != DType::i64 && in.dtype(0) != DType::i32) return std::nullopt;
  const auto x = in.contents(0);
  if (!x || x->empty() || !in.shape(0).has_rank() || in.shape(0).rank() != 1) return std::nullopt;
  const auto axes = in.has(1) ? in.ints(1) : std::vector<int64_t>{};
  if (!axes || (axes->empty() && when_no_axes == WhenNoAxes::nothing)) return std::nullopt;
  Dim y = x->front();
  for (size_t i = 1; i < x->size(); ++i) {
    const Dim& d = (*x)[i];
    const bool numbers = y.is_number() && d.is_number();
    if (fn == ReduceFn::sum) y = y + d;
    else if (fn == ReduceFn::prod) y = y * d;
    else if (fn == ReduceFn::max && numbers) y = std::max(y.number(), d.number());
    else if (fn == ReduceFn::min && numbers) y = std::min(y.number(), d.number());
    else return std::nullopt;
  }
  const bool keeps_one = fn == ReduceFn::sum || fn == ReduceFn::prod || fn == ReduceFn::max || fn == ReduceFn::min;
  return keeps_one ? std::optional(std::vector<Dim>{y}) : std::nullopt;
}

void Reduce::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const auto axes = in.size() > 1 && in[1] ? to_ints(*in[1]) : std::vector<int64_t>{};
  const auto reduced = reduced_axes(axes, x.rank(), when_no_axes);
  shape_output(out[0], x.dtype(), reduced_shape(Shape::of(x.dims()), reduced, keep_dims).numbers());
  const Groups g = groups_of(x.dims(), reduced);
  if (x.dtype() == DType::boolean) return reduce_booleans(fn, g, x.data<bool>().data(), out[0].data<bool>());
  visit_numeric(x.dtype(), [&]<class T>(TypeTag<T>) { reduce_all<T>(fn, g, x, out[0]); });
}

std::optional<OnnxForm> Reduce::to_onnx(const Node&) const {
  const auto form = std::find_if(std::begin(kForms), std::end(kForms), [&](const ReduceForm& f) { return f.fn == fn; });
  OnnxForm onnx{std::string(form->op_type), {{"keepdims", int64_t{keep_dims == KeepDims::yes}}}, {}};
  if (when_no_axes == WhenNoAxes::nothing) onnx.attributes["noop_with_empty_axes"] = int64_t{1};
  return onnx;
}

std::vector<Value*> Reduce::from_onnx(const OnnxNode& node) {
  const auto form = std::find_if(std::begin(kForms), std::end(kForms), [&](const ReduceForm& f) { return f.op_type == node.op_type; });
  require(form != std::end(kForms), ErrorKind::internal, "no reduction of ", node.op_type);
  Reduce op;
  op.fn = form->fn;
  op.keep_dims = node.attr<int64_t>("keepdims", 1) != 0 ? KeepDims::yes : KeepDims::no;
  op.when_no_axes = node.attr<int64_t>("noop_with_empty_axes", 0) != 0 ? WhenNoAxes::nothing : WhenNoAxes::reduce_all;
  Value* x = node.needed(0);
  Value* axes = list_input(node, "axes", 1);
  return {node.add_op(op, axes ? std::vector<Value*>{x, axes} : std::vector<Value*>{x})};
}

}  // namespace onecard
