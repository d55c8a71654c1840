#include <algorithm>
#include <cstring>

#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {
namespace {

constexpr int64_t kLongestTable = int64_t{1} << 20;  // entries per axis that a step may keep

struct Ends {
  int64_t before = 0, after = 0;
};

std::optional<std::vector<Ends>> ends_of(const KernelQuery& q) {
  const auto pads = known_ints(q, 1), axes = known_ints(q, 3);
  if (!pads || (q.has(3) && !axes)) return std::nullopt;
  const int64_t rank = q.in[0].shape.rank();
  std::vector<Ends> ends(static_cast<size_t>(rank));
  std::vector<int64_t> along;
  for (int64_t a = 0; !axes && a < rank; ++a) along.push_back(a);
  if (axes) along = axis_indices(*axes, rank);
  if (pads->size() != 2 * along.size()) return std::nullopt;
  for (size_t i = 0; i < along.size(); ++i) ends[static_cast<size_t>(along[i])] = {(*pads)[i], (*pads)[i + along.size()]};
  return ends;
}

// Which index of the axis each index of y shows; -1: the constant. Negative pads cut first.
std::vector<int64_t> shown_indices(int64_t extent, const Ends& ends, int64_t count, PadMode mode) {
  const int64_t first = std::max<int64_t>(-ends.before, 0), kept = extent + std::min<int64_t>(ends.after, 0) - first;
  std::vector<int64_t> shown;
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = i - std::max<int64_t>(ends.before, 0);
    const bool outside = at < 0 || at >= kept;
    if (outside && mode == PadMode::constant) {
      shown.push_back(-1);
      continue;
    }
    if (outside && mode == PadMode::edge) at = std::clamp<int64_t>(at, 0, kept - 1);
    if (outside && mode == PadMode::wrap) at = (at % kept + kept) % kept;
    if (outside && mode == PadMode::reflect) {
      const int64_t period = std::max<int64_t>(2 * (kept - 1), 1);
      at = (at % period + period) % period;
      if (at >= kept) at = period - at;
    }
    shown.push_back(first + at);
  }
  return shown;
}

// Part of a row of y: `count` elements from `from` on of a row of x, or the constant where `from` is negative.
struct Run {
  int64_t from, to, count;
};

struct Padding {
  std::vector<std::vector<int64_t>> shown;  // per axis but the last, times the axis' stride in x; -1: outside
  std::vector<Run> runs;
  Dims y;
  int64_t row = 1, width = 1;
};

std::vector<Run> runs_of(const std::vector<int64_t>& shown) {
  std::vector<Run> runs;
  for (int64_t i = 0; i < static_cast<int64_t>(shown.size()); ++i) {
    const int64_t at = shown[static_cast<size_t>(i)];
    if (!runs.empty() && (at < 0 ? runs.back().from < 0 : runs.back().from >= 0 && at == runs.back().from + runs.back().count)) ++runs.back().count;
    else runs.push_back({at, i, 1});
  }
  return runs;
}

void fill(char* to, const char* value, int64_t width, int64_t count) {
  if (!value) {
    std::memset(to, 0, static_cast<size_t>(count * width));
    return;
  }
  const auto fill_as = [&]<class T>(TypeTag<T>) {
    T v;
    std::memcpy(&v, value, sizeof v);
    for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * static_cast<int64_t>(sizeof v), &v, sizeof v);
  };
  if (width == 4) fill_as(TypeTag<uint32_t>{});
  else if (width == 8) fill_as(TypeTag<uint64_t>{});
  else if (width == 2) fill_as(TypeTag<uint16_t>{});
  else
    for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * width, value, static_cast<size_t>(width));
}

void run_rows(const Padding& p, const char* x, const char* value, char* y, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    int64_t from = 0, rest = r;
    bool inside = true;
    for (size_t a = p.shown.size(); a-- > 0;) {
      const int64_t at = p.shown[a][static_cast<size_t>(rest % p.y[a])];
      rest /= p.y[a];
      inside = inside && at >= 0;
      from += at;
    }
    char* to = y + r * p.row * p.width;
    if (!inside) {
      fill(to, value, p.width, p.row);
      continue;
    }
    for (const Run& run : p.runs) {
      if (run.from < 0) fill(to + run.to * p.width, value, p.width, run.count);
      else std::memcpy(to + run.to * p.width, x + (from + run.from) * p.width, static_cast<size_t>(run.count * p.width));
    }
  }
}

Support supports(const Pad& op, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  if (q.in[0].shape.rank() == 0) return no("a scalar has no axis");
  const auto ends = ends_of(q);
  if (!ends) return no("the pads are not known while planning");
  const Dims x = q.in[0].shape.numbers(), y = q.out[0].shape.numbers();
  for (size_t a = 0; a < y.size(); ++a) {
    if (y[a] > kLongestTable) return no("an axis of " + std::to_string(y[a]));
    const Ends& e = (*ends)[a];
    if (std::max(std::abs(e.before), std::abs(e.after)) > kLongestTable || x[a] + e.before + e.after != y[a]) return no("the pads do not make y");
    const int64_t kept = x[a] + std::min<int64_t>(e.before, 0) + std::min<int64_t>(e.after, 0);
    if (kept < 0 || (kept == 0 && op.mode != PadMode::constant)) return no("pads an axis of which nothing is left");
  }
  return yes();
}

std::unique_ptr<Step> prepare(const Pad& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), strides = row_major_strides(x);
  const auto ends = *ends_of(q);
  Padding p;
  p.y = q.out[0].shape.numbers();
  if (p.y == x && std::all_of(ends.begin(), ends.end(), [](const Ends& e) { return e.before == 0; })) return view_step(q);
  for (size_t a = 0; a < x.size(); ++a) {
    p.shown.push_back(shown_indices(x[a], ends[a], p.y[a], op.mode));
    for (int64_t& at : p.shown.back())
      if (at > 0 && a + 1 < x.size()) at *= strides[a];
  }
  p.runs = runs_of(p.shown.back());
  p.shown.pop_back();
  p.row = p.y.back();
  p.width = element_bytes(q.in[0]);
  const bool has_value = q.has(2) && element_count(q.in[2].shape.numbers()) > 0;
  const int64_t rows = p.row == 0 ? 0 : element_count(p.y) / p.row;
  return plain_step(q, [p, rows, has_value](const LaunchArgs& args) {
    const auto* value = has_value ? static_cast<const char*>(args.in[2]) : nullptr;
    in_parallel(rows, std::max<int64_t>(1, (int64_t{1} << 15) / (p.row * p.width + 1)), [&](int64_t begin, int64_t end) {
      run_rows(p, static_cast<const char*>(args.in[0]), value, static_cast<char*>(args.out[0]), begin, end);
    });
  });
}

}  // namespace

std::unique_ptr<Kernel> make_pad_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Pad, supports, prepare>>("cpu.pad"); }

}  // namespace onecard
