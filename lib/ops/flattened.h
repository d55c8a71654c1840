#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The axis along which an operator of opset < 13 works on x when it sees x as a matrix cut at `axis`: set when at most one of the axes from
// `axis` on has an extent other than 1, so that no reshaping is needed.
std::optional<int64_t> single_axis_from(const Shape& x, int64_t axis);
// `op` (along its last axis) on x seen as the matrix [extents before axis, extents from axis on], in x's shape again.
Value* on_flattened(const OnnxNode& node, Value* x, int64_t axis, std::shared_ptr<const Op> op);

}  // namespace onecard
