#pragma once
#include <bit>
#include <complex>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace onecard {

// Every element type of an ONNX tensor; the values are ONNX's own codes.
enum class DType : uint8_t {
  undefined = 0, f32 = 1, u8 = 2, i8 = 3, u16 = 4, i16 = 5, i32 = 6, i64 = 7, string = 8, boolean = 9, f16 = 10, f64 = 11, u32 = 12,
  u64 = 13, c64 = 14, c128 = 15, bf16 = 16, f8e4m3 = 17, f8e4m3uz = 18, f8e5m2 = 19, f8e5m2uz = 20, u4 = 21, i4 = 22, f4e2m1 = 23,
  f8e8m0 = 24, u2 = 25, i2 = 26,
};

enum class DKind : uint8_t { none, floating, sint, uint, boolean, complex, string };

// One row per type. bits: storage per element; 4- and 2-bit elements are packed as ONNX packs them, lowest bits first.
struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int bits;
  DKind kind;
};
const DTypeInfo& info(DType t);
DType dtype_from_name(std::string_view name);        // undefined when there is none
bool dtype_is_known(int64_t onnx_code);
inline bool is_float(DType t) { return info(t).kind == DKind::floating; }
inline bool is_integer(DType t) { return info(t).kind == DKind::sint || info(t).kind == DKind::uint; }

// 16- and 8-bit floats as C++ types: stored bits, converted by value (round to nearest even; out of range becomes infinity, or
// the largest value or NaN where the format has no infinity, as ONNX Cast does with saturate).
float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);
float small_float_to_float(DType format, uint8_t bits);
uint8_t float_to_small_float(DType format, float value, bool saturate = true);

struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float v) : bits(float_to_half(v)) {}
  operator float() const { return half_to_float(bits); }
};
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  BFloat16(float v) {
    const uint32_t u = std::bit_cast<uint32_t>(v);
    bits = (u & 0x7fffffffu) > 0x7f800000u ? static_cast<uint16_t>((u >> 16) | 0x40u) : static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(uint32_t{bits} << 16); }
};
template <DType Format>
struct SmallFloat {
  uint8_t bits = 0;
  SmallFloat() = default;
  SmallFloat(float v) : bits(float_to_small_float(Format, v)) {}
  operator float() const { return small_float_to_float(Format, bits); }
};

template <class T> struct TypeTag { using type = T; };

// Calls body(TypeTag<T>{}) with the C++ type of `t`; T is the storage type. Raises internal for strings and packed types.
template <class F>
decltype(auto) visit_dtype(DType t, F&& body) {
  switch (t) {
    case DType::f32: return body(TypeTag<float>{});
    case DType::f64: return body(TypeTag<double>{});
    case DType::f16: return body(TypeTag<Half>{});
    case DType::bf16: return body(TypeTag<BFloat16>{});
    case DType::i8: return body(TypeTag<int8_t>{});
    case DType::u8: return body(TypeTag<uint8_t>{});
    case DType::i16: return body(TypeTag<int16_t>{});
    case DType::u16: return body(TypeTag<uint16_t>{});
    case DType::i32: return body(TypeTag<int32_t>{});
    case DType::u32: return body(TypeTag<uint32_t>{});
    case DType::i64: return body(TypeTag<int64_t>{});
    case DType::u64: return body(TypeTag<uint64_t>{});
    case DType::boolean: return body(TypeTag<bool>{});
    case DType::f8e4m3: return body(TypeTag<SmallFloat<DType::f8e4m3>>{});
    case DType::f8e4m3uz: return body(TypeTag<SmallFloat<DType::f8e4m3uz>>{});
    case DType::f8e5m2: return body(TypeTag<SmallFloat<DType::f8e5m2>>{});
    case DType::f8e5m2uz: return body(TypeTag<SmallFloat<DType::f8e5m2uz>>{});
    case DType::f8e8m0: return body(TypeTag<SmallFloat<DType::f8e8m0>>{});
    default: fail(ErrorKind::internal, "no C++ arithmetic type for ", info(t).name);
  }
}

// The same over the floating types alone (f32 f64 f16 bf16), for ops that ONNX defines on floats.
template <class F>
decltype(auto) visit_float(DType t, F&& body) {
  switch (t) {
    case DType::f32: return body(TypeTag<float>{});
    case DType::f64: return body(TypeTag<double>{});
    case DType::f16: return body(TypeTag<Half>{});
    case DType::bf16: return body(TypeTag<BFloat16>{});
    default: fail(ErrorKind::model, "expects a floating type, got ", info(t).name);
  }
}

template <class T> struct DTypeOf;
template <> struct DTypeOf<float> { static constexpr DType value = DType::f32; };
template <> struct DTypeOf<double> { static constexpr DType value = DType::f64; };
template <> struct DTypeOf<Half> { static constexpr DType value = DType::f16; };
template <> struct DTypeOf<BFloat16> { static constexpr DType value = DType::bf16; };
template <> struct DTypeOf<int8_t> { static constexpr DType value = DType::i8; };
template <> struct DTypeOf<uint8_t> { static constexpr DType value = DType::u8; };
template <> struct DTypeOf<int16_t> { static constexpr DType value = DType::i16; };
template <> struct DTypeOf<uint16_t> { static constexpr DType value = DType::u16; };
template <> struct DTypeOf<int32_t> { static constexpr DType value = DType::i32; };
template <> struct DTypeOf<uint32_t> { static constexpr DType value = DType::u32; };
template <> struct DTypeOf<int64_t> { static constexpr DType value = DType::i64; };
template <> struct DTypeOf<uint64_t> { static constexpr DType value = DType::u64; };
template <> struct DTypeOf<bool> { static constexpr DType value = DType::boolean; };
template <DType F> struct DTypeOf<SmallFloat<F>> { static constexpr DType value = F; };
template <> struct DTypeOf<std::complex<float>> { static constexpr DType value = DType::c64; };
template <> struct DTypeOf<std::complex<double>> { static constexpr DType value = DType::c128; };

}  // namespace onecard
