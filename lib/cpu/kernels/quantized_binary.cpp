#include "lib/ops/quantized_binary.h"

#include <limits>

#include "lib/cpu/code_rows.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/layout.h"
#include "lib/cpu/walk.h"
#include "lib/ops/broadcast_index.h"

namespace onecard {
namespace {

std::optional<Bounds> bounds_of(const Activation& f) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (f.is_identity()) return Bounds{-kInfinity, kInfinity};
  if (f.fn == Fn::relu) return Bounds{0, kInfinity};
  if (f.fn == Fn::clip && f.alpha <= f.beta) return Bounds{f.alpha, f.beta};
  return std::nullopt;
}

// Whether a and b have y's extents and one of them lies with its channels innermost: everything is then done in that order.
bool runs_channels_last(const KernelQuery& q) {
  const Dims y = q.out[0].shape.numbers();
  if (y.size() < 3 || y.size() > 5 || q.in[0].shape.numbers() != y || q.in[1].shape.numbers() != y) return false;
  const auto lies_so = [&](size_t i) { return q.in_layouts[i] && same_layout(q.in_layouts[i], channels_last(q.in[i])); };
  return lies_so(0) || lies_so(1);
}

// Operands: a, b, y.
std::optional<Walk<3>> walk_of(const KernelQuery& q) {
  Dims y = q.out[0].shape.numbers();
  if (runs_channels_last(q)) {
    y = {element_count(y)};
    return make_walk<3>(y, {row_major_strides(y), row_major_strides(y), row_major_strides(y)});
  }
  return make_walk<3>(y, {broadcast_strides(q.in[0].shape.numbers(), y), broadcast_strides(q.in[1].shape.numbers(), y), row_major_strides(y)});
}

Support supports(const QuantizedBinary& op, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  for (const TensorType* t : {&q.in[0], &q.in[1], &q.out[0]})
    if (!per_tensor(*t)) return no("not i8 or u8 quantized per tensor: " + t->text());
  if (!code_binary_row(op.fn)) return no("no loop for " + std::string(kBinaryFnNames[static_cast<size_t>(op.fn)]));
  if (!bounds_of(op.activation)) return no("no loop with " + std::string(kFnNames[static_cast<size_t>(op.activation.fn)]));
  return walk_of(q) ? yes() : no("too many axes");
}

Codes codes_of(const TensorType& t) {
  const PerTensor quant = *per_tensor(t);
  return Codes::of(t.dtype, quant.scale, quant.zero);
}

uint8_t flip_of(const TensorType& t) { return t.dtype == DType::i8 ? 0x80 : 0; }

std::unique_ptr<Step> prepare_sum(const SumOfCodes& sum, const KernelQuery& q) {
  return plain_step(q, [walk = *walk_of(q), sum, flips = CodeFlips{flip_of(q.in[0]), flip_of(q.in[1]), flip_of(q.out[0])}](const LaunchArgs& args) {
    walk_pieces(walk, 8192, [&](const std::array<int64_t, 3>& at, int64_t count) {
      code_sum_row(sum, flips, static_cast<const uint8_t*>(args.in[0]) + at[0], walk.row_stride(0), static_cast<const uint8_t*>(args.in[1]) + at[1],
                   walk.row_stride(1), static_cast<uint8_t*>(args.out[0]) + at[2], count);
    });
  });
}

std::unique_ptr<Step> finished(std::unique_ptr<Step> step, const KernelQuery& q) {
  allow_in_place(*step, q, {0, 1});
  if (runs_channels_last(q)) {
    for (size_t i = 0; i < 2; ++i) step->in_layouts[i] = channels_last(q.in[i]);
    step->out_layouts[0] = channels_last(q.out[0]);
  }
  return step;
}

std::unique_ptr<Step> prepare(const QuantizedBinary& op, const KernelQuery& q) {
  if (const auto sum = sum_of_codes(op, q.in[0], q.in[1])) return finished(prepare_sum(*sum, q), q);
  auto step = plain_step(q, [walk = *walk_of(q), row = code_binary_row(op.fn), bounds = *bounds_of(op.activation), a = codes_of(q.in[0]),
                             b = codes_of(q.in[1]), y = codes_of(q.out[0])](const LaunchArgs& args) {
    walk_pieces(walk, 8192, [&](const std::array<int64_t, 3>& at, int64_t count) {
      row(static_cast<const uint8_t*>(args.in[0]) + at[0], walk.row_stride(0), a, static_cast<const uint8_t*>(args.in[1]) + at[1], walk.row_stride(1),
          b, bounds, y, static_cast<uint8_t*>(args.out[0]) + at[2], count);
    });
  });
  return finished(std::move(step), q);
}

}  // namespace

std::unique_ptr<Kernel> make_quantized_binary_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<QuantizedBinary, supports, prepare>>("cpu.quantized_binary");
}

}  // namespace onecard
