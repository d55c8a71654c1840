#pragma once
#include "lib/ir/graph.h"

namespace onecard {

// Whether a node's constant weight (input 1) is a fixed bank of filters that no training made: tones (STFT, CQT) that read one channel, or bands
// (mel, ERB): no negative element and a quarter zeros or more. They are no weights to prune or to round.
bool is_filter_bank(const Node& node);

// Whether nearly every column of a table [places, columns] is a sampled wave or a straight line, x[t - 1] + x[t + 1] = 2 cos(a) x[t]: position codes,
// angles of rotary embeddings, coordinates. Nobody trained these either.
bool is_wave_table(const Tensor& table);

}  // namespace onecard
