// Reductions of f32 over any axes: rows where the last axis is reduced, columns side by side where it is kept. Sums are kept in double.
#include "lib/ops/reduce.h"

#include <cmath>
#include <limits>

#include "lib/cpu/float_rows.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/walk.h"

namespace onecard {
namespace {

constexpr int64_t kColumns = 256;  // sums kept side by side on the stack
constexpr int64_t kGrain = int64_t{1} << 15;

struct ReducePlan {
  Walk<1> kept, reduced;  // rows() count offsets into x; the last axis is `run` elements that lie together
  int64_t run = 1;
  bool run_is_reduced = true;
  int64_t elements = 1;  // that make one output
};

std::optional<std::vector<bool>> reduced_axes(const Reduce& op, const KernelQuery& q) {
  const auto rank = static_cast<size_t>(q.in[0].shape.rank());
  std::vector<int64_t> axes;
  if (q.has(1)) {
    const auto known = known_ints(q, 1);
    if (!known) return std::nullopt;
    axes = *known;
  }
  if (axes.empty()) return std::vector<bool>(rank, op.when_no_axes == WhenNoAxes::reduce_all);
  std::vector<bool> flags(rank);
  for (const int64_t a : axes) {
    const int64_t axis = a < 0 ? a + static_cast<int64_t>(rank) : a;
    if (axis < 0 || axis >= static_cast<int64_t>(rank)) return std::nullopt;
    flags[static_cast<size_t>(axis)] = true;
  }
  return flags;
}

// A walk whose rows are single offsets.
std::optional<Walk<1>> offsets(const Dims& extents, const Dims& strides) {
  auto w = make_walk<1>(extents, {strides});
  if (!w || w->rank == kWalkAxes) return std::nullopt;
  w->rows *= w->row();
  w->extents[static_cast<size_t>(w->rank)] = 1;
  w->strides[0][static_cast<size_t>(w->rank)] = 0;
  ++w->rank;
  return w;
}

std::optional<ReducePlan> plan_of(const Dims& x, const std::vector<bool>& axes) {
  ReducePlan p;
  size_t end = x.size();
  while (end > 0 && x[end - 1] == 1) --end;
  p.run_is_reduced = end == 0 || axes[end - 1];
  const Dims strides = row_major_strides(x);
  Dims extents[2], steps[2];
  bool in_run = true;
  for (size_t a = end; a-- > 0;) {
    if (axes[a]) p.elements *= x[a];
    in_run = in_run && (axes[a] == p.run_is_reduced || x[a] == 1);
    if (in_run) {
      p.run *= x[a];
      continue;
    }
    const size_t side = axes[a] ? 1 : 0;
    extents[side].insert(extents[side].begin(), x[a]);
    steps[side].insert(steps[side].begin(), strides[a]);
  }
  const auto kept = offsets(extents[0], steps[0]), reduced = offsets(extents[1], steps[1]);
  if (!kept || !reduced) return std::nullopt;
  p.kept = *kept, p.reduced = *reduced;
  return p;
}

struct Plus {
  static constexpr double kStart = 0;
  static double of(double sum, float x) { return sum + static_cast<double>(x); }
};
struct PlusMagnitude {
  static constexpr double kStart = 0;
  static double of(double sum, float x) { return sum + std::fabs(static_cast<double>(x)); }
};
struct PlusSquare {
  static constexpr double kStart = 0;
  static double of(double sum, float x) { return sum + static_cast<double>(x) * static_cast<double>(x); }
};
struct Times {
  static constexpr double kStart = 1;
  static double of(double product, float x) { return product * static_cast<double>(x); }
};
struct Most {
  static constexpr double kStart = -std::numeric_limits<double>::infinity();
  static double of(double most, float x) { return static_cast<double>(x) > most || x != x ? static_cast<double>(x) : most; }
};
struct Least {
  static constexpr double kStart = std::numeric_limits<double>::infinity();
  static double of(double least, float x) { return static_cast<double>(x) < least || x != x ? static_cast<double>(x) : least; }
};

template <class F>
double row_of(const float* x, int64_t n, double value) {
  for (int64_t i = 0; i < n; ++i) value = F::of(value, x[i]);
  return value;
}
// Eight side by side, for the order of these does not matter.
template <class F>
double extreme_of(const float* x, int64_t n, double value) {
  double best[8];
  std::fill_n(best, 8, value);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int64_t j = 0; j < 8; ++j) best[j] = F::of(best[j], x[i + j]);
  for (const double b : best) value = F::of(value, static_cast<float>(b));
  return row_of<F>(x + i, n - i, value);
}

// One reduction: how a row goes into a value, and columns into values.
struct Method {
  double start;
  double (*row)(const float* x, int64_t n, double value);
  void (*columns)(const float* x, int64_t n, double* values);
};
template <class F>
void add_columns(const float* x, int64_t n, double* values) {
  for (int64_t i = 0; i < n; ++i) values[i] = F::of(values[i], x[i]);
}
template <double (*RowSums::*Member)(const float*, int64_t)>
double row_sum(const float* x, int64_t n, double value) {
  return value + (row_sums().*Member)(x, n);
}

Method method_of(ReduceFn fn) {
  switch (fn) {
    case ReduceFn::max: return {Most::kStart, extreme_of<Most>, add_columns<Most>};
    case ReduceFn::min: return {Least::kStart, extreme_of<Least>, add_columns<Least>};
    case ReduceFn::prod: return {Times::kStart, row_of<Times>, add_columns<Times>};
    case ReduceFn::l1: return {0, row_sum<&RowSums::absolute>, add_columns<PlusMagnitude>};
    case ReduceFn::l2:
    case ReduceFn::sum_square: return {0, row_sum<&RowSums::square>, add_columns<PlusSquare>};
    default: return {0, row_sum<&RowSums::sum>, add_columns<Plus>};
  }
}

float finished(ReduceFn fn, double value, int64_t elements) {
  switch (fn) {
    case ReduceFn::mean: return static_cast<float>(value / static_cast<double>(elements));
    case ReduceFn::l2: return static_cast<float>(std::sqrt(value));
    case ReduceFn::log_sum: return static_cast<float>(std::log(value));
    default: return static_cast<float>(value);
  }
}

void reduce_rows(const ReducePlan& p, ReduceFn fn, const float* x, float* y) {
  const Method method = method_of(fn);
  in_parallel(p.kept.rows, std::max<int64_t>(1, kGrain / p.elements), [&](int64_t begin, int64_t end) {
    walk_rows(p.kept, begin, end, [&](int64_t i, const std::array<int64_t, 1>& at) {
      double value = method.start;
      walk_rows(p.reduced, 0, p.reduced.rows,
                [&](int64_t, const std::array<int64_t, 1>& in) { value = method.row(x + at[0] + in[0], p.run, value); });
      y[i] = finished(fn, value, p.elements);
    });
  });
}

void reduce_columns(const ReducePlan& p, ReduceFn fn, const float* x, float* y) {
  const Method method = method_of(fn);
  const int64_t blocks = (p.run + kColumns - 1) / kColumns;
  in_parallel(p.kept.rows * blocks, std::max<int64_t>(1, kGrain / (p.elements * std::min(kColumns, p.run))), [&](int64_t begin, int64_t end) {
    double values[kColumns];
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t row = unit / blocks, first = unit % blocks * kColumns, count = std::min(kColumns, p.run - first);
      walk_rows(p.kept, row, row + 1, [&](int64_t, const std::array<int64_t, 1>& at) {
        std::fill_n(values, count, method.start);
        walk_rows(p.reduced, 0, p.reduced.rows,
                  [&](int64_t, const std::array<int64_t, 1>& in) { method.columns(x + at[0] + in[0] + first, count, values); });
        for (int64_t i = 0; i < count; ++i) y[row * p.run + first + i] = finished(fn, values[i], p.elements);
      });
    }
  });
}

Support supports(const Reduce& op, const KernelQuery& q) {
  if (const Support s = plain_floats(KernelQuery{q.op, q.in.first(1), q.out, q.constants.first(1), q.in_layouts.first(1)}); !s) return s;
  if (op.fn == ReduceFn::log_sum_exp) return no("no loop for log_sum_exp");
  const auto axes = reduced_axes(op, q);
  if (!axes) return no("the axes are not known while planning");
  const Dims x = q.in[0].shape.numbers();
  if (element_count(x) == 0) return no("empty " + q.in[0].text());
  return plan_of(x, *axes) ? yes() : no("too many axes");
}

std::unique_ptr<Step> prepare(const Reduce& op, const KernelQuery& q) {
  const ReducePlan p = *plan_of(q.in[0].shape.numbers(), *reduced_axes(op, q));
  return plain_step(q, [p, fn = op.fn](const LaunchArgs& args) {
    const auto* x = static_cast<const float*>(args.in[0]);
    auto* y = static_cast<float*>(args.out[0]);
    p.run_is_reduced ? reduce_rows(p, fn, x, y) : reduce_columns(p, fn, x, y);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_plain_reduce_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Reduce, supports, prepare>>("cpu.reduce"); }

}  // namespace onecard
