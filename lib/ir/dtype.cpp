#include "lib/ir/dtype.h"

#include <array>
#include <cmath>

namespace onecard {

namespace {

constexpr std::array<DTypeInfo, 27> kTypes{{
    {DType::undefined, "undefined", 0, DKind::none},
    {DType::f32, "f32", 32, DKind::floating},
    {DType::u8, "u8", 8, DKind::uint},
    {DType::i8, "i8", 8, DKind::sint},
    {DType::u16, "u16", 16, DKind::uint},
    {DType::i16, "i16", 16, DKind::sint},
    {DType::i32, "i32", 32, DKind::sint},
    {DType::i64, "i64", 64, DKind::sint},
    {DType::string, "string", 0, DKind::string},
    {DType::boolean, "bool", 8, DKind::boolean},
    {DType::f16, "f16", 16, DKind::floating},
    {DType::f64, "f64", 64, DKind::floating},
    {DType::u32, "u32", 32, DKind::uint},
    {DType::u64, "u64", 64, DKind::uint},
    {DType::c64, "c64", 64, DKind::complex},
    {DType::c128, "c128", 128, DKind::complex},
    {DType::bf16, "bf16", 16, DKind::floating},
    {DType::f8e4m3, "f8e4m3", 8, DKind::floating},
    {DType::f8e4m3uz, "f8e4m3uz", 8, DKind::floating},
    {DType::f8e5m2, "f8e5m2", 8, DKind::floating},
    {DType::f8e5m2uz, "f8e5m2uz", 8, DKind::floating},
    {DType::u4, "u4", 4, DKind::uint},
    {DType::i4, "i4", 4, DKind::sint},
    {DType::f4e2m1, "f4e2m1", 4, DKind::floating},
    {DType::f8e8m0, "f8e8m0", 8, DKind::floating},
    {DType::u2, "u2", 2, DKind::uint},
    {DType::i2, "i2", 2, DKind::sint},
}};

// The parameters of a small float format. uz: no infinity, no negative zero, NaN is 0x80.
struct Format {
  int exponent_bits, mantissa_bits, bias;
  bool has_infinity, uz;
};
Format format_of(DType t) {
  switch (t) {
    case DType::f8e4m3: return {4, 3, 7, false, false};
    case DType::f8e4m3uz: return {4, 3, 8, false, true};
    case DType::f8e5m2: return {5, 2, 15, true, false};
    case DType::f8e5m2uz: return {5, 2, 16, false, true};
    case DType::f4e2m1: return {2, 1, 1, false, false};
    default: fail(ErrorKind::internal, info(t).name, " is no small float");
  }
}

float e8m0_to_float(uint8_t bits) { return bits == 255 ? NAN : std::ldexp(1.0f, int{bits} - 127); }
// Rounds up to a power of two above half way, as ONNX's default for the type (round_mode up on the significand).
uint8_t float_to_e8m0(float v, bool saturate) {
  if (std::isnan(v)) return 255;
  const uint32_t u = std::bit_cast<uint32_t>(std::fabs(v));
  uint32_t exponent = u >> 23;
  const uint32_t mantissa = u & 0x7fffffu;
  if (exponent == 255) return saturate ? 254 : 255;
  if (exponent == 0) return mantissa > 0x400000u ? 1 : 0;
  if (mantissa > 0) ++exponent;
  if (exponent > 254) return saturate ? 254 : 255;
  return static_cast<uint8_t>(exponent);
}

}  // namespace

const DTypeInfo& info(DType t) {
  const auto i = static_cast<size_t>(t);
  return kTypes[i < kTypes.size() ? i : 0];
}
DType dtype_from_name(std::string_view name) {
  for (const auto& row : kTypes)
    if (row.name == name) return row.dtype;
  return DType::undefined;
}
bool dtype_is_known(int64_t code) { return code > 0 && code < static_cast<int64_t>(kTypes.size()); }

float half_to_float(uint16_t h) {
  const uint32_t sign = uint32_t{h & 0x8000u} << 16;
  const uint32_t exponent = (h >> 10) & 0x1fu, mantissa = h & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    const float f = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -f : f;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

uint16_t float_to_half(float value) {
  const uint32_t u = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((u >> 16) & 0x8000u);
  const uint32_t rest = u & 0x7fffffffu;
  if (rest > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (rest >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and above round to infinity
  if (rest < 0x38800000u) {                                               // subnormal: adding 0.5 aligns the mantissa and rounds to even
    const float shifted = std::bit_cast<float>(rest) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  const uint32_t odd = (rest >> 13) & 1u;
  return static_cast<uint16_t>(sign | ((rest - 0x38000000u + 0xfffu + odd) >> 13));
}

float small_float_to_float(DType t, uint8_t bits) {
  if (t == DType::f8e8m0) return e8m0_to_float(bits);
  const Format f = format_of(t);
  const int total = 1 + f.exponent_bits + f.mantissa_bits;
  const uint32_t all = bits & ((1u << total) - 1);
  const bool negative = (all >> (total - 1)) & 1u;
  const uint32_t exponent = (all >> f.mantissa_bits) & ((1u << f.exponent_bits) - 1), mantissa = all & ((1u << f.mantissa_bits) - 1);
  const uint32_t top = (1u << f.exponent_bits) - 1;
  if (f.uz && all == 0x80u) return NAN;
  if (f.has_infinity && exponent == top) return mantissa ? NAN : (negative ? -INFINITY : INFINITY);
  if (t == DType::f8e4m3 && exponent == top && mantissa == 7) return NAN;
  const float scale = static_cast<float>(1 << f.mantissa_bits);
  const float m = static_cast<float>(mantissa) / scale;
  const float v = exponent ? std::ldexp(1.0f + m, static_cast<int>(exponent) - f.bias) : std::ldexp(m, 1 - f.bias);
  return negative ? -v : v;
}

uint8_t float_to_small_float(DType t, float value, bool saturate) {
  if (t == DType::f8e8m0) return float_to_e8m0(value, saturate);
  const Format f = format_of(t);
  const int total = 1 + f.exponent_bits + f.mantissa_bits;
  const uint8_t sign = std::signbit(value) ? static_cast<uint8_t>(1u << (total - 1)) : uint8_t{0};
  const uint32_t top = (1u << f.exponent_bits) - 1;
  const uint8_t infinity = static_cast<uint8_t>(top << f.mantissa_bits);
  const uint8_t magnitude_mask = static_cast<uint8_t>((1u << (total - 1)) - 1);
  // The largest finite magnitude and what stands for NaN, in bits.
  const uint8_t largest = t == DType::f8e4m3 ? 0x7e : f.has_infinity ? static_cast<uint8_t>(infinity - 1) : magnitude_mask;
  const uint8_t nan = f.uz ? 0x80 : f.has_infinity ? static_cast<uint8_t>(sign | infinity | 1u) : static_cast<uint8_t>(sign | magnitude_mask);
  if (t == DType::f4e2m1 && std::isnan(value)) return 0x8;  // minus zero: the type has no NaN
  if (std::isnan(value)) return f.has_infinity ? static_cast<uint8_t>(sign | magnitude_mask) : nan;
  if (std::isinf(value)) {
    if (saturate || t == DType::f4e2m1) return static_cast<uint8_t>(sign | largest);
    return f.has_infinity ? static_cast<uint8_t>(sign | infinity) : nan;
  }
  const double a = std::fabs(double{value});
  int exponent = a > 0 ? std::ilogb(a) : 1 - f.bias;
  exponent = std::max(exponent, 1 - f.bias);
  const double unit = std::ldexp(1.0, exponent - f.mantissa_bits);
  const auto steps = static_cast<uint32_t>(std::nearbyint(a / unit));  // default rounding mode: half to even
  // steps counts mantissa units above 0 of this exponent; a carry into the next exponent falls out of the sum.
  const uint32_t coded = (static_cast<uint32_t>(exponent + f.bias - 1) << f.mantissa_bits) + steps;
  if (coded > largest) {
    if (saturate || t == DType::f4e2m1) return static_cast<uint8_t>(sign | largest);
    return f.has_infinity ? static_cast<uint8_t>(sign | infinity) : nan;
  }
  if (f.uz && coded == 0) return 0;
  return static_cast<uint8_t>(sign | coded);
}

}  // namespace onecard
