// Conversions between floats, whole-byte integers and booleans, by way of i64 or f64.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/step.h"
#include "lib/ops/shape_ops.h"

namespace onecard::cuda {
namespace {

ANYWHERE float float_of(uint32_t bits) {
  union { uint32_t bits; float value; } pun{bits};
  return pun.value;
}
ANYWHERE uint32_t bits_of(float v) {
  union { float value; uint32_t bits; } pun{v};
  return pun.bits;
}

// 16-bit floats by their bits, rounded to nearest even: lib/ir/dtype.cpp.
ANYWHERE float half_value(uint16_t h) {
  const uint32_t sign = uint32_t{h & 0x8000u} << 16, exponent = (h >> 10) & 0x1fu, mantissa = h & 0x3ffu;
  if (exponent == 31) return float_of(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * (static_cast<float>(mantissa) * 0x1p-24f);
  return float_of(sign | ((exponent + 112) << 23) | (mantissa << 13));
}
ANYWHERE uint16_t half_bits(float value) {
  const uint32_t u = bits_of(value), rest = u & 0x7fffffffu, sign = (u >> 16) & 0x8000u;
  if (rest > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (rest >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (rest < 0x38800000u) return static_cast<uint16_t>(sign | (bits_of(float_of(rest) + 0.5f) - 0x3f000000u));
  return static_cast<uint16_t>(sign | ((rest - 0x38000000u + 0xfffu + ((rest >> 13) & 1u)) >> 13));
}
ANYWHERE uint16_t bfloat_bits(float value) {
  const uint32_t u = bits_of(value);
  return static_cast<uint16_t>((u & 0x7fffffffu) > 0x7f800000u ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

ANYWHERE double load_real(DType t, const void* x, int i) {
  switch (t) {
    case DType::f32: return static_cast<const float*>(x)[i];
    case DType::f64: return static_cast<const double*>(x)[i];
    case DType::f16: return half_value(static_cast<const uint16_t*>(x)[i]);
    default: return float_of(uint32_t{static_cast<const uint16_t*>(x)[i]} << 16);  // bf16
  }
}
ANYWHERE int64_t load_whole(DType t, const void* x, int i) {
  switch (t) {
    case DType::i8: return static_cast<const int8_t*>(x)[i];
    case DType::u8: return static_cast<const uint8_t*>(x)[i];
    case DType::i16: return static_cast<const int16_t*>(x)[i];
    case DType::u16: return static_cast<const uint16_t*>(x)[i];
    case DType::i32: return static_cast<const int32_t*>(x)[i];
    case DType::u32: return static_cast<const uint32_t*>(x)[i];
    case DType::boolean: return static_cast<const bool*>(x)[i];
    default: return static_cast<const int64_t*>(x)[i];  // i64, u64
  }
}
ANYWHERE void store_real(DType t, void* y, int i, double v) {
  switch (t) {
    case DType::f32: static_cast<float*>(y)[i] = static_cast<float>(v); return;
    case DType::f64: static_cast<double*>(y)[i] = v; return;
    case DType::f16: static_cast<uint16_t*>(y)[i] = half_bits(static_cast<float>(v)); return;
    default: static_cast<uint16_t*>(y)[i] = bfloat_bits(static_cast<float>(v)); return;
  }
}
ANYWHERE void store_whole(DType t, void* y, int i, int64_t v) {
  switch (t) {
    case DType::i8: case DType::u8: static_cast<uint8_t*>(y)[i] = static_cast<uint8_t>(v); return;
    case DType::i16: case DType::u16: static_cast<uint16_t*>(y)[i] = static_cast<uint16_t>(v); return;
    case DType::i32: case DType::u32: static_cast<uint32_t*>(y)[i] = static_cast<uint32_t>(v); return;
    case DType::boolean: static_cast<bool*>(y)[i] = v != 0; return;
    default: static_cast<int64_t*>(y)[i] = v; return;
  }
}

// A real as a 64-bit integer: NaN is 0, beyond the range of i64 that of u64, else the nearest end.
ANYWHERE int64_t whole_of(double v) {
  if (v != v) return 0;
  if (v >= 9.2233720368547758e18) return v >= 1.8446744073709552e19 ? -1 - 2047 : static_cast<int64_t>(static_cast<uint64_t>(v));
  return v <= -9.2233720368547758e18 ? INT64_MIN : static_cast<int64_t>(v);
}

struct CastEach {
  DType from, to;
  bool from_real, to_real;
  const void* x;
  void* y;
  ANYWHERE void operator()(int i) const {
    if (from_real) {
      const double v = load_real(from, x, i);
      if (to_real) store_real(to, y, i, v);
      else store_whole(to, y, i, to == DType::boolean ? v != 0 : whole_of(v));
      return;
    }
    const int64_t v = load_whole(from, x, i);
    if (to_real) store_real(to, y, i, from == DType::u64 ? static_cast<double>(static_cast<uint64_t>(v)) : static_cast<double>(v));
    else store_whole(to, y, i, v);
  }
};

bool is_real(DType t) { return t == DType::f32 || t == DType::f64 || t == DType::f16 || t == DType::bf16; }
bool is_known(DType t) { return is_real(t) || t == DType::boolean || (is_integer(t) && info(t).bits >= 8); }

Support supports(const Cast& op, const KernelQuery& q) {
  if (Support s = plain_operands(q); !s) return s;
  return is_known(q.in[0].dtype) && is_known(op.to) ? yes() : no("no kernel from " + q.in[0].text() + " to " + std::string(info(op.to).name));
}

std::unique_ptr<Step> prepare(const Cast& op, const KernelQuery& q) {
  const DType from = q.in[0].dtype, to = op.to;
  if (from == to) return view_step(q);
  const bool from_real = is_real(from), to_real = is_real(to);
  const int count = elements_of(q.in[0]);
  return make_step(q, [=](const LaunchArgs& a) { launch_each(CastEach{from, to, from_real, to_real, a.in[0], a.out[0]}, count, a.queue); });
}

}  // namespace

std::unique_ptr<Kernel> make_cast_kernel() { return std::make_unique<KernelFor<Cast, supports, prepare>>("cuda.cast"); }

}  // namespace onecard::cuda
