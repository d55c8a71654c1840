#pragma once
#include <cmath>
#include <limits>
#include <type_traits>

#include "lib/ir/dtype.h"

namespace onecard {

// v rounded once to T. To a 16-bit float it passes through a float rounded to odd, so that the second rounding sees what the first
// dropped. To an integer: toward zero, saturated, NaN gives 0.
template <class T>
T narrow(double v) {
  if constexpr (std::is_same_v<T, double>) {
    return v;
  } else if constexpr (std::is_same_v<T, float>) {
    return static_cast<float>(v);
  } else if constexpr (std::is_same_v<T, bool>) {
    return v != 0;
  } else if constexpr (std::is_integral_v<T>) {
    if (!(v == v)) return 0;
    if (v <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (v >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(v);
  } else {
    const float f = static_cast<float>(v);
    const auto bits = std::bit_cast<uint32_t>(f);
    if (std::isfinite(f) && static_cast<double>(f) != v && !(bits & 1u)) {
      return T(std::bit_cast<float>(std::abs(static_cast<double>(f)) > std::abs(v) ? bits - 1 : bits + 1));
    }
    return T(f);
  }
}

// Integer arithmetic modulo 2^bits, as ONNX Runtime and numpy have it.
template <class T>
T wrap(uint64_t v) { return static_cast<T>(v); }

// Calls body(TypeTag<T>{}) for the four floats and the eight whole-byte integers; raises model for any other type.
template <class F>
decltype(auto) visit_numeric(DType t, F&& body) {
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
    default: fail(ErrorKind::model, "no arithmetic on ", info(t).name);
  }
}
// f32 f64 f16 bf16: what ONNX means by float tensors in its arithmetic operators.
inline bool is_arithmetic_float(DType t) { return t == DType::f32 || t == DType::f64 || t == DType::f16 || t == DType::bf16; }
// The eight integer types stored in whole bytes.
inline bool is_byte_integer(DType t) { return is_integer(t) && info(t).bits >= 8; }
inline bool is_numeric(DType t) { return is_arithmetic_float(t) || is_byte_integer(t); }

}  // namespace onecard
