#include "passes/batch_norm_affine.h"

#include <cmath>

namespace onecard {

std::optional<ChannelAffine> batch_norm_affine(const BatchNorm& op, const Node& node, int64_t channels) {
  std::vector<std::vector<double>> constants;         // scale, bias, mean, variance
  for (size_t i = 1; i <= 4; ++i) {
    auto numbers = per_channel(node.input(i), 1, 0, channels);
    if (!numbers) return std::nullopt;
    constants.push_back(std::move(*numbers));
  }
  ChannelAffine affine;
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const double k = constants[0][c] / std::sqrt(constants[3][c] + static_cast<double>(op.epsilon));
    affine.scale.push_back(k);
    affine.shift.push_back(constants[1][c] - constants[2][c] * k);
  }
  return affine;
}

}  // namespace onecard
