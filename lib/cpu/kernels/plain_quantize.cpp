// Quantize and Dequantize in every form: per tensor, per axis with any zero points, in blocks; 8 bits by vector loops, 16 and 32 bits plainly.
#include <algorithm>
#include <cmath>

#include "lib/cpu/code_rows.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/axes.h"
#include "lib/ops/integer_range.h"
#include "lib/ops/quantize.h"

namespace onecard {
namespace {

// A tensor as rows that share a scale. `row` elements each; which scale the r-th row has.
struct ScaledRows {
  QuantizationPtr quant;
  int64_t row = 0, rows = 0;
  AxisView view;       // of an axis with scales
  int64_t blocks = 0;  // along it, when quantized in blocks

  size_t scale_of(int64_t r) const {
    if (quant->axis < 0) return 0;
    if (quant->block == 0) return static_cast<size_t>(r % view.extent);
    const int64_t inner = r % view.inner, index = r / view.inner % view.extent, outer = r / view.inner / view.extent;
    return static_cast<size_t>((outer * blocks + index / quant->block) * view.inner + inner);
  }
};

ScaledRows scaled_rows(const TensorType& t) {
  const Dims dims = t.shape.numbers();
  ScaledRows s{t.quant, element_count(dims), 1, {}, 0};
  if (t.quant->axis < 0) {
    // Cut so that threads can share it.
    constexpr int64_t kPiece = 4096;
    if (s.row % kPiece == 0) s.rows = s.row / kPiece, s.row = kPiece;
    return s;
  }
  s.view = axis_view(dims, t.quant->axis);
  s.row = t.quant->block > 0 ? 1 : s.view.inner;
  s.rows = s.row > 0 ? element_count(dims) / s.row : 0;
  if (t.quant->block > 0) s.blocks = (s.view.extent + t.quant->block - 1) / t.quant->block;
  return s;
}

template <class Row>
std::unique_ptr<Step> step_of(const KernelQuery& q, const ScaledRows& rows, int64_t x_bytes, int64_t y_bytes, Row run) {
  return plain_step(q, [rows, x_bytes, y_bytes, run](const LaunchArgs& args) {
    in_parallel(rows.rows, std::max<int64_t>(1, 8192 / std::max<int64_t>(rows.row, 1)), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        run(static_cast<const char*>(args.in[0]) + r * rows.row * x_bytes, static_cast<char*>(args.out[0]) + r * rows.row * y_bytes, rows.row,
            rows.scale_of(r));
    });
  });
}

Support fits(const KernelQuery& q, const TensorType& codes, const TensorType& real) {
  if (const Support s = plain_operands(q); !s) return s;
  if (real.dtype != DType::f32 || real.quant) return no("not f32: " + real.text());
  if (!codes.quant || codes.dtype == DType::u32 || info(codes.dtype).bits > 32) return no("not an integer of 8 to 32 bits: " + codes.text());
  return yes();
}

Support quantizes(const Quantize&, const KernelQuery& q) { return fits(q, q.out[0], q.in[0]); }

std::unique_ptr<Step> prepare_quantize(const Quantize&, const KernelQuery& q) {
  const ScaledRows rows = scaled_rows(q.out[0]);
  const DType t = q.out[0].dtype;
  if (info(t).bits == 8)
    return step_of(q, rows, 4, 1, [quant = q.out[0].quant, t](const void* x, void* y, int64_t n, size_t s) {
      quantize_row(static_cast<const float*>(x), Codes::of(t, quant->scale[s], quant->zero_at(s)), static_cast<uint8_t*>(y), n);
    });
  return visit_dtype(t, [&]<class T>(TypeTag<T>) -> std::unique_ptr<Step> {
    if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
      return step_of(q, rows, 4, sizeof(T), [quant = q.out[0].quant, range = integer_range(t)](const void* x, void* y, int64_t n, size_t s) {
        for (int64_t i = 0; i < n; ++i) {
          const float scaled = std::nearbyint(static_cast<const float*>(x)[i] / quant->scale[s]);
          static_cast<T*>(y)[i] = static_cast<T>(range.saturate(static_cast<double>(scaled) + quant->zero_at(s)));
        }
      });
    }
    fail(ErrorKind::internal, "quantize to ", info(t).name);
  });
}

Support dequantizes(const Dequantize&, const KernelQuery& q) { return fits(q, q.in[0], q.out[0]); }

std::unique_ptr<Step> prepare_dequantize(const Dequantize&, const KernelQuery& q) {
  const ScaledRows rows = scaled_rows(q.in[0]);
  const DType t = q.in[0].dtype;
  if (info(t).bits == 8)
    return step_of(q, rows, 1, 4, [quant = q.in[0].quant, t](const void* x, void* y, int64_t n, size_t s) {
      dequantize_row(static_cast<const uint8_t*>(x), Codes::of(t, quant->scale[s], quant->zero_at(s)), static_cast<float*>(y), n);
    });
  return visit_dtype(t, [&]<class T>(TypeTag<T>) -> std::unique_ptr<Step> {
    if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
      return step_of(q, rows, sizeof(T), 4, [quant = q.in[0].quant](const void* x, void* y, int64_t n, size_t s) {
        for (int64_t i = 0; i < n; ++i)
          static_cast<float*>(y)[i] = static_cast<float>(int64_t{static_cast<const T*>(x)[i]} - quant->zero_at(s)) * quant->scale[s];
      });
    }
    fail(ErrorKind::internal, "dequantize from ", info(t).name);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_plain_quantize_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<Quantize, quantizes, prepare_quantize>>("cpu.quantize");
}
std::unique_ptr<Kernel> make_plain_dequantize_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<Dequantize, dequantizes, prepare_dequantize>>("cpu.dequantize");
}

}  // namespace onecard
