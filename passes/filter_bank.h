#pragma once
#include "lib/ir/graph.h"

namespace onecard {

// Whether a node's constant weight (input 1) is a fixed bank of filters that no training made: tones (STFT, CQT) that read one channel, or bands
// (mel, ERB): no negative element and a quarter zeros or more. They are no weights to prune or to round.
bool is_filter_bank(const Node& node);

}  // namespace onecard
