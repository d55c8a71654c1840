// Averages of 8-bit integers: exact sums of codes per window, then one rounding. Sums of a plane lie in the workspace, one per thread's part.
#include <algorithm>
#include <cmath>

#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/pool.h"
#include "lib/ops/window.h"

namespace onecard {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 22;  // of a window: sums of differences below 256 stay in int32

// What one launch needs to know; windows are given position by position, as pairs of y and x elements.
struct Average {
  std::vector<WindowRows> positions;  // of a pool; empty: the whole plane
  std::vector<double> factor;         // x scale / elements averaged, per element of y; or one
  int64_t planes = 0, x_size = 0, y_size = 0;
  PerTensor x{1, 0}, y{1, 0};
  float low = 0, high = 0;
};

template <class T>
void sum_plane(const Average& a, const T* x, int32_t* sums) {
  std::fill(sums, sums + a.y_size, 0);
  if (a.positions.empty()) {
    int32_t sum = 0;
    for (int64_t i = 0; i < a.x_size; ++i) sum += x[i];
    sums[0] = sum - static_cast<int32_t>(a.x_size) * a.x.zero;
  }
  for (const WindowRows& rows : a.positions)
    for_rows(rows, [&](int64_t to, int64_t at, int64_t count, int64_t, int64_t step) {
      for (int64_t i = 0; i < count; ++i) sums[to + i] += x[at + i * step] - a.x.zero;
    });
}

template <class T, class Y>
void average(const Average& a, const LaunchArgs& args) {
  const auto* x = static_cast<const T*>(args.in[0]);
  auto* y = static_cast<Y*>(args.out[0]);
  auto* sums = static_cast<int32_t*>(args.workspace);
  in_parallel(a.planes, std::max<int64_t>(1, (int64_t{1} << 14) / std::max<int64_t>(a.x_size, 1)), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      int32_t* acc = sums + p * a.y_size;
      sum_plane(a, x + p * a.x_size, acc);
      for (int64_t i = 0; i < a.y_size; ++i) {
        const auto real = static_cast<float>(acc[i] * a.factor[a.factor.size() == 1 ? 0 : static_cast<size_t>(i)]);
        y[p * a.y_size + i] = static_cast<Y>(std::clamp(std::nearbyint(real / a.y.scale) + static_cast<float>(a.y.zero), a.low, a.high));
      }
    }
  });
}

template <class T>
std::unique_ptr<Step> step_of(const KernelQuery& q, Average a) {
  const bool is_signed = q.out[0].dtype == DType::i8;
  a.low = is_signed ? -128.0f : 0.0f;
  a.high = is_signed ? 127.0f : 255.0f;
  const int64_t bytes = a.planes * a.y_size * 4;
  auto step = plain_step(
      q, [a = std::move(a), is_signed](const LaunchArgs& args) { is_signed ? average<T, int8_t>(a, args) : average<T, uint8_t>(a, args); });
  step->workspace_bytes = bytes;
  return step;
}

Support types_fit(const KernelQuery& q, PoolFn fn) {
  if (const Support s = plain_operands(q); !s) return s;
  if (fn != PoolFn::average && fn != PoolFn::average_with_padding) return no("not an average");
  if (!per_tensor(q.in[0]) || !per_tensor(q.out[0])) return no("x or y is not i8 or u8 quantized per tensor: " + q.in[0].text());
  return element_count(q.out[0].shape.numbers()) > 0 ? yes() : no("empty");
}

Average common(const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), y = q.out[0].shape.numbers();
  Average a;
  a.planes = x[0] * x[1];
  a.x_size = element_count(spatial_extents(x));
  a.y_size = element_count(spatial_extents(y));
  a.x = *per_tensor(q.in[0]);
  a.y = *per_tensor(q.out[0]);
  return a;
}

std::unique_ptr<Step> finish(const KernelQuery& q, Average a) {
  return q.in[0].dtype == DType::i8 ? step_of<int8_t>(q, std::move(a)) : step_of<uint8_t>(q, std::move(a));
}

Support pool_supports(const Pool& op, const KernelQuery& q) {
  if (const Support s = types_fit(q, op.fn); !s) return s;
  return element_count(op.kernel) <= kMostElements ? yes() : no("a large window");
}

std::unique_ptr<Step> prepare_pool(const Pool& op, const KernelQuery& q) {
  Average a = common(q);
  const Dims x = q.in[0].shape.numbers(), plane = spatial_extents(x), out = spatial_extents(q.out[0].shape.numbers());
  const ConvGeometry g = pool_base_geometry(op, x);
  Dims at(g.kernel.size(), 0);
  do window_rows(g, out, plane, at, a.positions.emplace_back());
  while (next_index(at, g.kernel));
  for (const double count : pool_window_counts(op, x, q.out[0].shape.numbers())) a.factor.push_back(static_cast<double>(a.x.scale) / count);
  return finish(q, std::move(a));
}

Support global_supports(const GlobalPool& op, const KernelQuery& q) {
  if (const Support s = types_fit(q, op.fn); !s) return s;
  return element_count(spatial_extents(q.in[0].shape.numbers())) <= kMostElements ? yes() : no("a large plane");
}

std::unique_ptr<Step> prepare_global(const GlobalPool&, const KernelQuery& q) {
  Average a = common(q);
  a.factor = {static_cast<double>(a.x.scale) / static_cast<double>(a.x_size)};
  return finish(q, std::move(a));
}

}  // namespace

std::unique_ptr<Kernel> make_quantized_pool_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<Pool, pool_supports, prepare_pool>>("cpu.quantized_pool");
}
std::unique_ptr<Kernel> make_quantized_global_pool_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<GlobalPool, global_supports, prepare_global>>("cpu.quantized_global_pool");
}

}  // namespace onecard
