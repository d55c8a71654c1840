#pragma once
#include <optional>
#include <vector>

#include "passes/match.h"

namespace onecard {

// A mean over the last axes, kept as extents of 1: reduce{mean}(x) from axis `axis` on.
struct LastMean {
  Value* x = nullptr;
  int64_t axis = 0;
};
std::optional<LastMean> last_mean(const Value* v);
// v = mean(d^2) over the last axes, the square as pow, square or product: d and the axis.
std::optional<LastMean> last_mean_square(const Value* v);

// v = numerator / sqrt(m + epsilon), the quotient as div, or as product with a reciprocal or a power.
struct Normalized {
  Value *numerator = nullptr, *mean_square = nullptr;
  float epsilon = 0;
};
std::optional<Normalized> normalized(const Graph& graph, const Node& node);

// Ones of the extents from `axis` on; nothing when these are not numbers.
std::optional<Tensor> ones_from_axis(const TensorType& x, int64_t axis);
// Whether v has exactly the extents of x from `axis` on (a constant may have more axes, all 1).
bool spans_from_axis(const Value* v, const TensorType& x, int64_t axis);
// v itself, or its constant without leading extents of 1, for use over the axes from `axis` on.
Value* without_leading_ones(Graph& graph, Value* v, const TensorType& x, int64_t axis);

}  // namespace onecard
