#pragma once
#include <optional>
#include <vector>

#include "lib/flow/compression/layer.h"

namespace onecard {

// The bias of every column of every group as the node has it; nothing when it has one that is no constant of that form.
std::optional<std::vector<double>> bias_of(const Layer& l);
// The same as the node reads it; and where in it column n of group g lies.
Tensor bias_tensor(const Layer& l, const std::vector<double>& values, DType dtype);
size_t bias_place(const Layer& l, size_t bias_size, int64_t g, int64_t n);

}  // namespace onecard
