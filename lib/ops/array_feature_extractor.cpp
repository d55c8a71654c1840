#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"ai.onnx.ml", "ArrayFeatureExtractor", 1}};

}  // namespace

// The elements of x's last axis at the indices y, all of them in a row; a 1-D x gives [1, indices]. Expanded at import.
struct ArrayFeatureExtractor {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(ArrayFeatureExtractor)

const std::span<const OnnxName> ArrayFeatureExtractor::kOnnx{kNames};

std::vector<Value*> ArrayFeatureExtractor::from_onnx(const OnnxNode& node) {
  Value *x = node.needed(0), *indices = node.needed(1);
  require(x->type.shape.has_rank() && x->type.shape.rank() >= 1, ErrorKind::model, "needs an input of known rank above 0, not ", x->type);
  if (!indices->type.shape.has_rank() || indices->type.shape.rank() != 1) indices = node.add_op(Reshape(), {indices, int_list(node, {-1})});
  Gather gather;
  gather.axis = -1;
  Value* picked = node.add_op(gather, {x, indices});
  return {x->type.shape.rank() == 1 ? node.add_op(Unsqueeze(), {picked, int_list(node, {0})}) : picked};
}

}  // namespace onecard
