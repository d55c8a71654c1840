#include "lib/ops/real_values.h"

#include <cmath>
#include <limits>

#include "lib/ops/quantize.h"

namespace onecard {

ScaledValues scaled_values(const Tensor& t, int64_t channel_axis) {
  const Quantization* q = t.type().quant.get();
  if (!q) return {to_doubles(t), {1.0}};
  const bool per_tensor = q->scale.size() == 1 && q->zero_point.size() == 1 && q->block == 0;
  if (!per_tensor && (q->axis < 0 || q->axis != channel_axis || q->block != 0)) return {real_values(t), {1.0}};
  ScaledValues out{to_doubles(t), {q->scale.begin(), q->scale.end()}};
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(channel_axis) + 1; !per_tensor && t.elements() > 0 && i < t.dims().size(); ++i) inner *= t.dims()[i];
  const int64_t channels = per_tensor ? 1 : t.dims()[static_cast<size_t>(channel_axis)];
  for (int64_t i = 0; i < t.elements(); ++i)
    out.values[static_cast<size_t>(i)] -= q->zero_at(per_tensor ? 0 : static_cast<size_t>(i / inner % channels));
  return out;
}

std::vector<double> real_values(const Tensor& t) { return t.type().quant ? to_doubles(dequantize_tensor(t)) : to_doubles(t); }

void store_doubles(Tensor& out, int64_t at, std::span<const double> values) {
  visit_dtype(out.dtype(), [&]<class T>(TypeTag<T>) {
    T* to = out.data<T>().data() + at;
    if constexpr (std::is_same_v<T, bool>) {
      for (size_t i = 0; i < values.size(); ++i) to[i] = values[i] != 0;
    } else if constexpr (std::is_integral_v<T>) {
      constexpr double lo = static_cast<double>(std::numeric_limits<T>::min()), hi = static_cast<double>(std::numeric_limits<T>::max());
      for (size_t i = 0; i < values.size(); ++i) {
        const double v = std::nearbyint(values[i]);
        to[i] = std::isnan(v) ? T{0} : v <= lo ? std::numeric_limits<T>::min() : v >= hi ? std::numeric_limits<T>::max() : static_cast<T>(v);
      }
    } else if constexpr (std::is_same_v<T, double>) {
      std::copy(values.begin(), values.end(), to);
    } else {
      for (size_t i = 0; i < values.size(); ++i) to[i] = T(static_cast<float>(values[i]));
    }
  });
}

std::complex<double> complex_at(const Tensor& t, int64_t i) {
  const auto at = static_cast<size_t>(2 * i);
  if (t.dtype() == DType::c128) return {reinterpret_cast<const double*>(t.raw())[at], reinterpret_cast<const double*>(t.raw())[at + 1]};
  return {reinterpret_cast<const float*>(t.raw())[at], reinterpret_cast<const float*>(t.raw())[at + 1]};
}

ComplexParts complex_parts(const Tensor& t) {
  ComplexParts parts{Tensor(DType::f64, t.dims()), Tensor(DType::f64, t.dims())};
  for (int64_t i = 0; i < t.elements(); ++i) {
    const auto z = complex_at(t, i);
    parts.real.set(i, z.real());
    parts.imaginary.set(i, z.imag());
  }
  return parts;
}

Tensor complex_tensor(DType dtype, const ComplexParts& parts) {
  Tensor t(dtype, parts.real.dims());
  const auto write = [&](auto* to) {
    using T = std::remove_reference_t<decltype(*to)>;
    for (int64_t i = 0; i < t.elements(); ++i) to[2 * i] = static_cast<T>(parts.real.at(i)), to[2 * i + 1] = static_cast<T>(parts.imaginary.at(i));
  };
  if (dtype == DType::c128) write(reinterpret_cast<double*>(t.raw()));
  else write(reinterpret_cast<float*>(t.raw()));
  return t;
}

}  // namespace onecard
