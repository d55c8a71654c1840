#pragma once
#include <complex>

#include "lib/ir/tensor.h"

namespace onecard {

// A tensor's real numbers as value * scale: for a quantized one exact integers (stored - zero point) and their scales, else the elements.
struct ScaledValues {
  std::vector<double> values;
  std::vector<double> scale;  // one, or one per index of the channel axis
  double scale_at(int64_t channel) const { return scale.size() == 1 ? scale[0] : scale[static_cast<size_t>(channel)]; }
};
// Quantizations that are neither per tensor nor per index of `channel_axis` are multiplied out.
ScaledValues scaled_values(const Tensor& t, int64_t channel_axis);
// The real numbers a tensor stands for.
std::vector<double> real_values(const Tensor& t);
// Writes numbers from element `at` on; integers are rounded half to even and saturated.
void store_doubles(Tensor& out, int64_t at, std::span<const double> values);

// Element i of a complex tensor.
std::complex<double> complex_at(const Tensor& t, int64_t i);
// Real and imaginary parts of a complex tensor, in f64; and a complex tensor of these parts.
struct ComplexParts {
  Tensor real, imaginary;
};
ComplexParts complex_parts(const Tensor& t);
Tensor complex_tensor(DType dtype, const ComplexParts& parts);

}  // namespace onecard
