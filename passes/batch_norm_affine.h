#pragma once
#include "lib/ops/normalize.h"
#include "passes/weights.h"

namespace onecard {

// A batch normalization with constant statistics as x * scale + shift per channel; nothing when they are not constant.
std::optional<ChannelAffine> batch_norm_affine(const BatchNorm& op, const Node& node, int64_t channels);

}  // namespace onecard
