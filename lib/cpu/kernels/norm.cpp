// Normalizations of rows: layer_norm where oneDNN has none, and rms_norm.
#include <algorithm>
#include <cmath>

#include "lib/cpu/float_rows.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/normalize.h"

namespace onecard {
namespace {

struct Rows {
  int64_t count = 1, length = 1;
};

template <class O>
Rows rows_of(const O& op, const KernelQuery& q) {
  const Dims dims = q.in[0].shape.numbers();
  const int64_t rank = static_cast<int64_t>(dims.size()), axis = op.axis < 0 ? op.axis + rank : op.axis;
  Rows rows;
  for (int64_t i = 0; i < rank; ++i) (i < axis ? rows.count : rows.length) *= dims[static_cast<size_t>(i)];
  return rows;
}

template <class O>
Support supports(const O& op, const KernelQuery& q) {
  if (const Support s = plain_floats(q); !s) return s;
  const Rows rows = rows_of(op, q);
  if (rows.length == 0) return no("empty rows");
  for (size_t i = 1; i < q.in.size(); ++i)
    if (q.has(i) && element_count(q.in[i].shape.numbers()) != rows.length) return no("scale or bias is broadcast: " + q.in[i].text());
  return yes();
}

enum class Center { mean, zero };

template <class O, Center kCenter>
std::unique_ptr<Step> prepare(const O& op, const KernelQuery& q) {
  const Rows rows = rows_of(op, q);
  const RowSums sums = row_sums();
  const bool scaled = q.has(1), biased = q.has(2);
  auto step = plain_step(q, [rows, sums, scaled, biased, epsilon = op.epsilon](const LaunchArgs& args) {
    const auto *x = static_cast<const float*>(args.in[0]), *scale = scaled ? static_cast<const float*>(args.in[1]) : nullptr;
    const auto* bias = biased ? static_cast<const float*>(args.in[2]) : nullptr;
    auto* y = static_cast<float*>(args.out[0]);
    const double n = static_cast<double>(rows.length);
    in_parallel(rows.count, std::max<int64_t>(1, 16384 / rows.length), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const float* row = x + r * rows.length;
        const float center = kCenter == Center::mean ? static_cast<float>(sums.sum(row, rows.length) / n) : 0.0f;
        const double variance = (kCenter == Center::mean ? sums.around(row, rows.length, center) : sums.square(row, rows.length)) / n;
        sums.scale(row, center, static_cast<float>(1 / std::sqrt(variance + static_cast<double>(epsilon))), scale, bias, y + r * rows.length,
                   rows.length);
      }
    });
  });
  allow_in_place(*step, q, {0});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_plain_layer_norm_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<LayerNorm, supports<LayerNorm>, prepare<LayerNorm, Center::mean>>>("cpu.layer_norm");
}
std::unique_ptr<Kernel> make_rms_norm_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<RmsNorm, supports<RmsNorm>, prepare<RmsNorm, Center::zero>>>("cpu.rms_norm");
}

}  // namespace onecard
