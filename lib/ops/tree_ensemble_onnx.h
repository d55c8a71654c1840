#pragma once
#include "lib/ops/forest.h"

namespace onecard {

// The trees of TreeEnsembleRegressor and TreeEnsembleClassifier, whose votes' attributes start with `prefix` ("target" or "class"), and the type
// to compute in: f64 when x or an array is, as ONNX Runtime has it. Raises model unless the arrays fit together.
struct OnnxForest {
  RawForest forest;
  DType dtype = DType::f32;
};
OnnxForest forest_with_node_ids(const OnnxNode& node, const std::string& prefix);
// The trees of TreeEnsemble, the operator of version 5.
OnnxForest forest_with_leaf_lists(const OnnxNode& node);

// Adds the attributes that forest_with_node_ids reads. False when trees test for members of sets, which these operators cannot.
bool add_node_ids(OnnxForm& form, const RawForest& forest, const std::string& prefix, DType dtype);
// Adds the attributes that forest_with_leaf_lists reads; tensors are of `dtype`. False when a leaf has not one vote, or with base values.
bool add_leaf_lists(OnnxForm& form, const RawForest& forest, DType dtype);

}  // namespace onecard
