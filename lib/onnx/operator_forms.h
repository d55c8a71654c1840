#pragma once
#include <optional>
#include <string>
#include <vector>

#include "lib/ir/graph.h"

namespace onecard {

// An ONNX operator that can be imported, as onnx's own schemas describe it.
struct OperatorForm {
  std::string domain, op_type;
  std::string op;             // the IR op that stands for it; empty: expanded at import
  int64_t first_opset = 1;    // the oldest that is imported
  int64_t last_opset = 1;     // the newest that has it
  std::vector<DType> dtypes;  // that onnx allows for its first input of several types (else output); empty: onnx has no schema
};
// All of them, with those that are expanded from onnx's definition; sorted by domain and name.
std::vector<OperatorForm> operator_forms();

constexpr int kSampleNetworks = 24;
// A network of one such node whose operands are of this type as far as onnx lets them, on a few elements. Which shapes and which small integers it
// takes (axes, sizes, repeats) depends on `variant`, from 0 to kSampleNetworks - 1: nothing tells which of them an operator wants. Raises model when
// it is refused.
Graph sample_network(const OperatorForm& form, DType dtype, int variant);

}  // namespace onecard
