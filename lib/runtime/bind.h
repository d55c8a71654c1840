#pragma once
#include <functional>
#include <map>
#include <vector>

#include "lib/ir/graph.h"

namespace onecard {

// Which element types a device computes in; values of other float types are widened to f32.
using ComputesType = std::function<bool(DType)>;

// Widened copies of constants, shared by all bindings of one network: weights are packed once per constant.
using WidenedConstants = std::map<ConstTensor, ConstTensor>;

struct BindOptions {
  ComputesType computes;                              // null: every type
  WidenedConstants* widened = nullptr;                // needed with `computes`
  int64_t fold_limit_bytes = 64 << 10;                // of one folded tensor
};

// `graph` for inputs of these types: every type inferred again, what became constant folded, an If of known condition replaced by its
// branch, dead nodes left out. Names, origins and outputs stay. Raises model when the types do not fit.
Graph bind_graph(const Graph& graph, const std::vector<TensorType>& inputs, const BindOptions& options = {});

// The input types of `graph` with symbols replaced; a symbol not in `values` counts as 1.
std::vector<TensorType> input_types(const Graph& graph, const SymbolValues& values);
// Raises model unless a tensor of type `given` may be input `declared`: dtype, rank, and numbered extents equal.
void check_input(const Value& declared, const TensorType& given);

}  // namespace onecard
