#pragma once
#include <complex>
#include <vector>

namespace onecard {

// In place: v[k] = sum over n of v[n] * exp(sign * 2 pi i k n / size); sign is -1 (forward) or 1. No scaling.
void fourier(std::vector<std::complex<double>>& v, int sign);

}  // namespace onecard
