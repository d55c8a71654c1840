#pragma once

namespace onecard {

// The nearest whole number, half to even, of |v| below 2^22. Loops with it become vector instructions, those with nearbyint calls.
inline float round_small(float v) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: the spacing of floats beside it is 1
  return (v + kRound) - kRound;
}

}  // namespace onecard
