#include "lib/flow/compression/refinement_work.h"

#include <algorithm>

#include "lib/flow/compression/work.h"

namespace onecard {

namespace {

constexpr int64_t kFewestRows = 1024, kManyRows = 2048, kMostRows = 8192, kRowsPerDepth = 4;
constexpr int64_t kMomentWork = 1'000'000'000;          // multiplications that make more rows than a few cost nothing
constexpr int64_t kMostMomentWork = 20'000'000'000;     // that make more than many cost too much
constexpr int64_t kMostRowElements = int64_t{8} << 20;  // of one sample and layer
constexpr size_t kFewestStretches = 3;
constexpr double kSweeps = 4;  // over a layer's x x', that rounding takes

}  // namespace

int64_t rows_per_sample(const Layer& l, size_t samples) {
  const auto count = static_cast<int64_t>(samples);
  const int64_t square = l.groups * l.depth * l.depth, most = std::clamp(kMostMomentWork / square, kManyRows, kMostRows),
                wanted = std::clamp(std::max(kRowsPerDepth * l.depth, kMomentWork / square), kFewestRows, most);
  return std::clamp((wanted + count - 1) / count, int64_t{1}, std::max<int64_t>(1, kMostRowElements / (l.groups * l.depth)));
}

MomentOrder order_of(const Refinement& how) {
  return how.weights == Weights::repair || how.rounding == Rounding::by_error ? MomentOrder::second : MomentOrder::first;
}

size_t stretches_of(const Refinement& how, double run, size_t fitted, size_t layers) {
  if (!how.sequential()) return 1;
  return static_cast<size_t>(
      std::clamp(stretches_to_fit(run, fitted), static_cast<double>(kFewestStretches), static_cast<double>(std::max(layers, kFewestStretches))));
}

double work_of_refinement(const Refinement& how, double run, size_t fitted, const std::vector<Layer>& layers) {
  if (!how.sequential()) return 0;
  double work = run * static_cast<double>(2 * fitted * stretches_of(how, run, fitted, layers.size()));
  for (const Layer& l : layers) {
    if (order_of(how) == MomentOrder::first || moment_elements(l, MomentOrder::second) > kMostMomentElements) continue;
    const double square = static_cast<double>(moment_elements(l, MomentOrder::second)), weight = static_cast<double>(l.weight_elements()),
                 rows = static_cast<double>(fitted) * static_cast<double>(rows_per_sample(l, fitted));
    work += rows * (square + std::min(2 * square, 4 * weight)) + 2 * kSweeps * square * static_cast<double>(l.width);
  }
  return work;
}

}  // namespace onecard
