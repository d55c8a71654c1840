// Reductions of f32 over axes that stand together: one warp per result.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/step.h"
#include "lib/ops/axes.h"
#include "lib/ops/reduce.h"

namespace onecard::cuda {
namespace {

struct ReduceRow {
  ReduceFn fn;
  int extent, inner;                                  // elements that make a result, and how far apart they are
  const float* x;
  float* y;

  template <class Lanes>
  ANYWHERE float extreme(const Lanes& lanes, const float* from, float sign) const {
    float best = -INFINITY, nans = 0;
    for (int i = lanes.index(); i < extent; i += lanes.count()) {
      const float v = sign * from[int64_t{i} * inner];
      best = fmaxf(best, v);
      nans += v != v ? 1.0f : 0.0f;
    }
    best = lanes.max(best);
    return lanes.sum(nans) > 0 ? NAN : sign * best;
  }

  template <class Lanes>
  ANYWHERE float log_sum_exp(const Lanes& lanes, const float* from) const {
    float top = -INFINITY, sum = 0;
    for (int i = lanes.index(); i < extent; i += lanes.count()) top = fmaxf(top, from[int64_t{i} * inner]);
    top = lanes.max(top);
    if (fabsf(top) == INFINITY) top = 0;
    for (int i = lanes.index(); i < extent; i += lanes.count()) sum += expf(from[int64_t{i} * inner] - top);
    return logf(lanes.sum(sum)) + top;
  }

  template <class Lanes>
  ANYWHERE float folded(const Lanes& lanes, const float* from) const {
    const bool multiplies = fn == ReduceFn::prod, squares = fn == ReduceFn::l2 || fn == ReduceFn::sum_square;
    float acc = multiplies ? 1.0f : 0.0f;
    for (int i = lanes.index(); i < extent; i += lanes.count()) {
      const float v = from[int64_t{i} * inner];
      if (multiplies) acc *= v;
      else acc += squares ? v * v : fn == ReduceFn::l1 ? fabsf(v) : v;
    }
    acc = multiplies ? lanes.product(acc) : lanes.sum(acc);
    return fn == ReduceFn::mean ? acc / static_cast<float>(extent) : fn == ReduceFn::l2 ? sqrtf(acc) : fn == ReduceFn::log_sum ? logf(acc) : acc;
  }

  template <class Lanes>
  ANYWHERE void operator()(const Lanes& lanes, int row) const {
    const float* from = x + (int64_t{row} / inner * extent * inner + row % inner);
    const bool extremes = fn == ReduceFn::max || fn == ReduceFn::min;
    const float v = extremes                           ? extreme(lanes, from, fn == ReduceFn::max ? 1.0f : -1.0f)
                    : fn == ReduceFn::log_sum_exp ? log_sum_exp(lanes, from)
                                                  : folded(lanes, from);
    if (lanes.index() == 0) y[row] = v;
  }
};

// x as [results before, reduced, results behind]; none when the reduced axes do not stand together or are not known.
std::optional<AxisView> view_of(const Reduce& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers();
  const auto given = q.has(1) ? known_ints(q, 1) : std::optional(std::vector<int64_t>());
  if (!given) return std::nullopt;
  const auto rank = static_cast<int64_t>(x.size());
  std::vector<char> reduced = given->empty() ? std::vector<char>(x.size(), op.when_no_axes == WhenNoAxes::reduce_all) : axis_mask(*given, rank);
  AxisView view;
  enum { before, within, behind } part = before;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == 1) continue;
    if (reduced[i] && part == behind) return std::nullopt;
    part = reduced[i] ? within : part == within ? behind : part;
    (part == before ? view.outer : part == within ? view.extent : view.inner) *= x[i];
  }
  return view;
}

Support supports(const Reduce& op, const KernelQuery& q) {
  for (const auto& types : {q.in.first(1), q.out})
    if (types[0].dtype != DType::f32 || types[0].quant) return no("not f32: " + types[0].text());
  if (Support s = plain_operands(q); !s) return s;
  return view_of(op, q) ? yes() : no("the reduced axes do not stand together, or are not known while planning");
}

std::unique_ptr<Step> prepare(const Reduce& op, const KernelQuery& q) {
  const AxisView view = *view_of(op, q);
  const ReduceFn fn = op.fn;
  const int extent = static_cast<int>(view.extent), inner = static_cast<int>(view.inner), rows = static_cast<int>(view.outer * view.inner);
  return make_step(q, [=](const LaunchArgs& a) { launch_rows(ReduceRow{fn, extent, inner, in<float>(a, 0), out<float>(a)}, rows, a.queue); });
}

}  // namespace

std::unique_ptr<Kernel> make_reduce_kernel() { return std::make_unique<KernelFor<Reduce, supports, prepare>>("cuda.reduce"); }

}  // namespace onecard::cuda
