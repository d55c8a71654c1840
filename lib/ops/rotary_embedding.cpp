#include "lib/ops/attention_parts.h"
#include "lib/ops/registry.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "RotaryEmbedding", 1}};

}  // namespace

// com.microsoft's rotary position embedding of [B,S,H*D] or [B,H,S,D]; expanded at import.
struct RotaryEmbedding {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(RotaryEmbedding)

const std::span<const OnnxName> RotaryEmbedding::kOnnx{kNames};

std::vector<Value*> RotaryEmbedding::from_onnx(const OnnxNode& node) {
  const Expansion ex(node);
  Value *x = node.needed(0), *positions = node.needed(1);
  require(x->type.shape.has_rank() && (x->type.shape.rank() == 3 || x->type.shape.rank() == 4), ErrorKind::model, "expects three or four axes, got ",
          x->type);
  require(positions->type.shape.has_rank(), ErrorKind::model, "the rank of position_ids must be known");
  require(node.attr<int64_t>("is_packed_batching", 0) == 0, ErrorKind::model, "is_packed_batching is not supported");
  Rotary rotary;
  rotary.cos = node.needed(2), rotary.sin = node.needed(3);
  if (node.attr<int64_t>("interleaved", 0) != 0) rotary.pairs = RotaryPairs::interleaved;
  const bool joined = x->type.shape.rank() == 3;
  if (!joined) rotary.heads_axis = 1;
  if (positions->type.shape.rank() < 2) {  // the position of the first token
    Value* length = ex.extents(x, joined ? 1 : 2);
    positions = ex.unsqueeze(ex.add(ex.counted(length), ex.cast(positions, DType::i64)), {0});
  }
  if (!joined) return {rotate(ex, x, positions, rotary)};
  const auto heads = node.attr<int64_t>("num_heads", 0);
  const int64_t head_size = heads > 0 ? part_size(x, heads, "the input") : 2 * part_size(rotary.cos, 1, "cos_cache");
  const int64_t features = part_size(x, 1, "the input");
  require(features % head_size == 0, ErrorKind::model, features, " features do not make heads of ", head_size);
  Value* y = rotate(ex, ex.reshape(x, {0, 0, features / head_size, head_size}), positions, rotary);
  return {ex.reshape(y, {0, 0, features})};
}

}  // namespace onecard
