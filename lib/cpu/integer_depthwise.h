#pragma once
#include <cstdint>

#include "lib/cpu/integer_gemm.h"

namespace onecard {

// Depthwise convolution of bytes: every channel by its own kernel, exact int32 sums, a panel of channels at a time.

// Elements of int16 that one panel of channels takes packed.
int64_t depthwise_panel(int64_t positions);
// Packs weight(channel, position), already less its zero point, of the channels of one panel; those from `channels` on are 0.
void pack_depthwise(const int16_t* weights, int64_t channels, int64_t positions, int16_t* packed);

// tile[pixels, panel columns] = sums over positions of (x - zero) * weight. at[pixel * positions + position] is where that input pixel's
// channels start, null in the padding; `channel` is the panel's first one, `channels` how many of its columns there are.
struct DepthwisePanel {
  ByteSign sign = ByteSign::is_signed;
  int32_t zero = 0;
  int64_t positions = 0, channel = 0, channels = 0;
  const int16_t* packed = nullptr;
};
void multiply_depthwise(const DepthwisePanel& panel, const uint8_t* const* at, int64_t pixels, int32_t* tile);

}  // namespace onecard
