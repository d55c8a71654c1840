#pragma once
#include "lib/ops/activation.h"

namespace onecard {

// Whether the residual of a fused op is added before its activation or after it.
enum class AddOrder : uint8_t { before_activation, after_activation };
inline constexpr std::string_view kAddOrderNames[] = {"before_activation", "after_activation"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<AddOrder>{kAddOrderNames};

// The end of a convolution or matrix product, one number: acc is the sum with bias.
//   before_activation: f(acc + residual)      after_activation: f(acc) + residual
double finish(double acc, double residual, const Activation& f, AddOrder order);

}  // namespace onecard
