#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"ai.onnx.ml", "FeatureVectorizer", 1}};

// x as f32 [N, ..]: [C] becomes [1, C], more axes are one.
Value* add_matrix(const OnnxNode& node, Value* x) {
  const Shape& shape = x->type.shape;
  require(is_numeric(x->type.dtype) && shape.has_rank() && shape.rank() >= 1, ErrorKind::model, "needs inputs of numbers and known rank, not ",
          x->type);
  if (x->type.dtype != DType::f32) {
    Cast cast;
    cast.to = DType::f32;
    x = node.add_op(cast, {x});
  }
  if (shape.rank() == 1) return node.add_op(Unsqueeze(), {x, int_list(node, {0})});
  return shape.rank() == 2 ? x : node.add_op(Flatten(), {x});
}

// A matrix with so many columns: more are cut, missing ones are 0.
Value* add_width(const OnnxNode& node, Value* x, int64_t wanted) {
  const Dim& width = x->type.shape[1];
  require(wanted >= 0, ErrorKind::model, "attribute 'inputdimensions' has ", wanted);
  if (width == Dim(wanted)) return x;
  require(width.is_number(), ErrorKind::model, "an input has an unknown number of columns, not ", wanted, ": ", x->type);
  if (width.number() > wanted) return node.add_op(Slice(), {x, int_list(node, {0}), int_list(node, {wanted}), int_list(node, {1})});
  return node.add_op(Pad(), {x, node.constant(Tensor::of<int64_t>({4}, {0, 0, 0, wanted - width.number()}))});
}

}  // namespace

// The inputs as f32 side by side, each with its `inputdimensions` columns. Expanded at import.
struct FeatureVectorizer {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(FeatureVectorizer)

const std::span<const OnnxName> FeatureVectorizer::kOnnx{kNames};

std::vector<Value*> FeatureVectorizer::from_onnx(const OnnxNode& node) {
  const auto widths = node.attr<std::vector<int64_t>>("inputdimensions", {});
  require(widths.empty() || widths.size() == node.inputs.size(), ErrorKind::model, "has ", widths.size(), " entries in 'inputdimensions' for ",
          node.inputs.size(), " inputs");
  std::vector<Value*> parts;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    Value* part = add_matrix(node, node.needed(i));
    parts.push_back(widths.empty() ? part : add_width(node, part, widths[i]));
  }
  Concat concat;
  concat.axis = 1;
  return {parts.size() == 1 ? parts[0] : node.add_op(concat, parts)};
}

}  // namespace onecard
