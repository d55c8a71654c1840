#pragma once
#include "lib/ops/window.h"

namespace onecard {

// What convolution and transposed convolution have in common.

// The element type a convolution computes: f32 from quantized x, else x's. Raises model when x and w do not go together.
DType conv_compute_dtype(const InferContext& in);
// Raises model unless the optional bias `i` has `channels` numbers of the compute type, or is quantized.
void check_conv_bias(const InferContext& in, size_t i, const Dim& channels, DType compute);
// The rank of x and w, which must agree; none when neither is known. Raises model below 3.
std::optional<int64_t> conv_rank(const InferContext& in);
// `v` in float of type `wanted`, by nodes added before `at` where it is not so already; null stays null.
Value* as_float(Graph& graph, Node& at, Value* v, DType wanted);
// The compute type of a node whose inputs 0 and 1 are x and w.
DType conv_compute_dtype(const Node& node);
// Adds activation and residual to `v` before `at`, in the order asked for.
Value* add_epilogue(Graph& graph, Node& at, Value* v, Value* residual, const Activation& f, AddOrder order);

}  // namespace onecard
