// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear of 8-bit codes whose one scale is only known when running.
#include "lib/ops/quantize_linear.h"

#include <algorithm>

#include "lib/cpu/code_rows.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/dynamic_quantize_linear.h"

namespace onecard {
namespace {

constexpr int64_t kGrain = 8192;

bool is_byte(const TensorType& t) { return (t.dtype == DType::i8 || t.dtype == DType::u8) && !t.quant; }

// One scale, f32, and at most one zero point of the codes' type.
Support scale_fits(const KernelQuery& q, const TensorType& codes, const TensorType& real, int64_t block) {
  if (const Support s = plain_operands(q); !s) return s;
  if (real.dtype != DType::f32 || real.quant || !is_byte(codes)) return no("not f32 and 8-bit codes: " + codes.text());
  const TensorType& scale = q.in[1];
  if (scale.dtype != DType::f32 || element_count(scale.shape.numbers()) != 1 || block != 0) return no("not one scale in f32: " + scale.text());
  return yes();
}

Codes codes_of(DType t, const LaunchArgs& args, bool has_zero) {
  int32_t zero = 0;
  if (has_zero) zero = t == DType::i8 ? *static_cast<const int8_t*>(args.in[2]) : *static_cast<const uint8_t*>(args.in[2]);
  return Codes::of(t, *static_cast<const float*>(args.in[1]), zero);
}

Support quantizes(const QuantizeLinear& op, const KernelQuery& q) { return scale_fits(q, q.out[0], q.in[0], op.block_size); }
std::unique_ptr<Step> prepare_quantize(const QuantizeLinear&, const KernelQuery& q) {
  return plain_step(q, [count = element_count(q.in[0].shape.numbers()), t = q.out[0].dtype, zero = q.has(2)](const LaunchArgs& args) {
    const Codes codes = codes_of(t, args, zero);
    in_parallel(count, kGrain, [&](int64_t begin, int64_t end) {
      quantize_row(static_cast<const float*>(args.in[0]) + begin, codes, static_cast<uint8_t*>(args.out[0]) + begin, end - begin);
    });
  });
}

Support dequantizes(const DequantizeLinear& op, const KernelQuery& q) { return scale_fits(q, q.in[0], q.out[0], op.block_size); }
std::unique_ptr<Step> prepare_dequantize(const DequantizeLinear&, const KernelQuery& q) {
  return plain_step(q, [count = element_count(q.in[0].shape.numbers()), t = q.in[0].dtype, zero = q.has(2)](const LaunchArgs& args) {
    const Codes codes = codes_of(t, args, zero);
    in_parallel(count, kGrain, [&](int64_t begin, int64_t end) {
      dequantize_row(static_cast<const uint8_t*>(args.in[0]) + begin, codes, static_cast<float*>(args.out[0]) + begin, end - begin);
    });
  });
}

Support quantizes_dynamically(const DynamicQuantizeLinear&, const KernelQuery& q) { return plain_operands(q); }
// Ranges of pieces of x lie in the workspace, then one scale serves all.
std::unique_ptr<Step> prepare_dynamic(const DynamicQuantizeLinear&, const KernelQuery& q) {
  const int64_t count = element_count(q.in[0].shape.numbers()), pieces = (count + kGrain - 1) / kGrain;
  auto step = plain_step(q, [count, pieces](const LaunchArgs& args) {
    const auto* x = static_cast<const float*>(args.in[0]);
    auto* ranges = static_cast<Bounds*>(args.workspace);
    const auto size_of = [&](int64_t piece) { return std::min(kGrain, count - piece * kGrain); };
    in_parallel(pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) ranges[p] = range_with_zero(x + p * kGrain, size_of(p));
    });
    Bounds all{0, 0};
    for (int64_t p = 0; p < pieces; ++p) all = {std::min(all.low, ranges[p].low), std::max(all.high, ranges[p].high)};
    const DynamicScale scale = dynamic_scale(all.low, all.high);
    const Codes codes = Codes::of(DType::u8, scale.scale, scale.zero);
    if (args.out[0])
      in_parallel(pieces, 1, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) quantize_row(x + p * kGrain, codes, static_cast<uint8_t*>(args.out[0]) + p * kGrain, size_of(p));
      });
    if (args.out[1]) *static_cast<float*>(args.out[1]) = scale.scale;
    if (args.out[2]) *static_cast<uint8_t*>(args.out[2]) = static_cast<uint8_t>(scale.zero);
  });
  step->workspace_bytes = pieces * static_cast<int64_t>(sizeof(Bounds));
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_quantize_linear_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<QuantizeLinear, quantizes, prepare_quantize>>("cpu.quantize_linear");
}
std::unique_ptr<Kernel> make_dequantize_linear_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<DequantizeLinear, dequantizes, prepare_dequantize>>("cpu.dequantize_linear");
}
std::unique_ptr<Kernel> make_dynamic_quantize_linear_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<DynamicQuantizeLinear, quantizes_dynamically, prepare_dynamic>>("cpu.dynamic_quantize_linear");
}

}  // namespace onecard
