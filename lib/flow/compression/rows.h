#pragma once
#include <vector>

#include "lib/flow/compression/layer.h"

namespace onecard {

// Some of the rows that a layer multiplies, as [groups, depth, rows].
struct Rows {
  int64_t count = 0;
  std::vector<float> values;
  const float* group(const Layer& layer, int64_t g) const { return values.data() + g * layer.depth * count; }
};

// At most `most` rows of x, spread evenly over its places, the same ones for every tensor of these extents; `phase` (0 to 1) shifts them, so that
// samples do not all show the same places. x holds plain numbers or quantized ones. None when x does not fit the layer.
Rows sample_rows(const Layer& layer, const Tensor& x, int64_t most, double phase);

// Adds what a further run of a body shows, up to `most` rows in all: of what is too much the last are left out.
void append_rows(const Layer& layer, Rows more, int64_t most, Rows& rows);
// All of them as one.
Rows joined(const Layer& layer, const std::vector<const Rows*>& parts);
// What samples show of one layer in a network and in the original, place by place. Where a sample shows other places in the two, or nothing was taken
// of the network, the original's rows stand on both sides: paired with others they would say nothing.
struct RowPairs {
  Rows own, original;
};
RowPairs paired(const Layer& layer, const std::vector<const Rows*>& own, const std::vector<const Rows*>& original);

// A tensor's real numbers as f32; quantized ones count by what they stand for.
Tensor as_real(const Tensor& t);

}  // namespace onecard
