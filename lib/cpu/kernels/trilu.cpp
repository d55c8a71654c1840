#include "lib/ops/trilu.h"

#include <algorithm>
#include <cstring>

#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

Support supports(const Trilu&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  if (q.has(1) && !known_ints(q, 1)) return no("the diagonal is not known while planning");
  return q.in[0].shape.rank() >= 2 ? yes() : no("not a matrix");
}

std::unique_ptr<Step> prepare(const Trilu& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers();
  const int64_t height = x[x.size() - 2], columns = x.back(), width = element_bytes(q.in[0]), rows = columns == 0 ? 0 : element_count(x) / columns;
  const auto known = known_ints(q, 1);
  const int64_t diagonal = std::clamp(known && !known->empty() ? known->front() : int64_t{0}, -height - 1, columns + 1);
  const bool upper = op.triangle == Triangle::upper;
  auto step = plain_step(q, [=](const LaunchArgs& args) {
    in_parallel(rows, std::max<int64_t>(1, (int64_t{1} << 15) / (columns * width)), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const auto* from = static_cast<const char*>(args.in[0]) + r * columns * width;
        auto* to = static_cast<char*>(args.out[0]) + r * columns * width;
        // The first column of the upper triangle, or the first behind the lower one.
        const int64_t cut = std::clamp(r % height + diagonal + (upper ? 0 : 1), int64_t{0}, columns) * width, all = columns * width;
        std::memset(upper ? to : to + cut, 0, static_cast<size_t>(upper ? cut : all - cut));
        if (from != to) std::memcpy(upper ? to + cut : to, upper ? from + cut : from, static_cast<size_t>(upper ? all - cut : cut));
      }
    });
  });
  allow_in_place(*step, q, {0});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_trilu_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Trilu, supports, prepare>>("cpu.trilu"); }

}  // namespace onecard
