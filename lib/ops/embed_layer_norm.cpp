#include "lib/ops/expansion.h"
#include "lib/ops/normalize.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "EmbedLayerNormalization", 1}};

// [B,S,E] or [1,S,E]: the position embeddings of the ids given, or of 0, 1, … S - 1.
Value* positions_of(const Expansion& ex, Value* ids) {
  const OnnxNode& node = ex.node();
  if (node.input(8)) return ex.gather(node.needed(3), node.input(8), 0);
  return ex.unsqueeze(ex.slice(node.needed(3), 0, ex.ints({0}), ex.extents(ids, 1)), {0});
}

}  // namespace

// com.microsoft's embedding of BERT: layer norm of word, position and segment embeddings; the second output counts each sample's unmasked
// words, the third is the sum that is normalized. Expanded at import.
struct EmbedLayerNorm {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(EmbedLayerNorm)

const std::span<const OnnxName> EmbedLayerNorm::kOnnx{kNames};

std::vector<Value*> EmbedLayerNorm::from_onnx(const OnnxNode& node) {
  const Expansion ex(node);
  Value* ids = node.needed(0);
  Value* sum = ex.add(ex.gather(node.needed(2), ids, 0), positions_of(ex, ids));
  if (node.input(1) && node.input(4)) sum = ex.add(sum, ex.gather(node.input(4), node.input(1), 0));
  LayerNorm norm;
  norm.epsilon = node.attr("epsilon", 1e-12f);
  Value* y = node.add_op(norm, {sum, node.needed(5), node.needed(6)});
  Value* words = nullptr;
  if (node.wants(1))
    words = node.input(7) ? ex.reduce(ReduceFn::sum, node.input(7), {1}, KeepDims::no) : ex.expand(ex.scalar(DType::i32, 0), ex.extents(ids, 0));
  return {y, words, sum};
}

}  // namespace onecard
