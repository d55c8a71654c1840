#include "lib/ops/attention_parts.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/normalize.h"
#include "lib/ops/tensor_scatter.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "GroupQueryAttention", 1}};

// Sizes of one node: G = heads / kv_heads queries share a key.
struct Sizes {
  int64_t heads = 0, kv_heads = 0, head_size = 0;
  int64_t group() const { return heads / kv_heads; }
};

// Where the new tokens of every sample stand.
struct Tokens {
  Value* length = nullptr;     // [1]: S
  Value* total = nullptr;      // [B,1]: tokens of the sample, the new ones with them
  Value* start = nullptr;      // [B,1]: those that were there before; 0 for a prompt, which may be padded
  Value* positions = nullptr;  // [B,S]
};

Sizes sizes_of(const OnnxNode& node) {
  Sizes s;
  s.heads = needed_heads(node, "num_heads");
  s.kv_heads = needed_heads(node, "kv_num_heads");
  require(s.heads % s.kv_heads == 0, ErrorKind::model, s.heads, " heads do not share ", s.kv_heads, " keys evenly");
  const bool packed = !node.input(1);
  s.head_size = part_size(node.needed(0), packed ? s.heads + 2 * s.kv_heads : s.heads, "the query");
  return s;
}

void check_supported(const OnnxNode& node) {
  for (const auto* key : {"k_quant_type", "v_quant_type"})
    require(node.attr<std::string>(key, "NONE") == "NONE", ErrorKind::model, "a quantized key-value cache (", key, ") is not supported");
  require(node.attr<int64_t>("sliding_window_cache", 0) == 0, ErrorKind::model,
          "sliding_window_cache is not supported; export the model with a full cache");
  require(!node.wants(3), ErrorKind::model, "the output output_qk is not supported");
}

// Query, key, value as [B,S,heads,D].
std::vector<Value*> operands(const Expansion& ex, const Sizes& s) {
  const OnnxNode& node = ex.node();
  const auto heads_of = [&](Value* x, int64_t heads) { return ex.reshape(x, {0, 0, heads, s.head_size}); };
  if (node.input(1)) return {heads_of(node.needed(0), s.heads), heads_of(node.needed(1), s.kv_heads), heads_of(node.needed(2), s.kv_heads)};
  return ex.split(heads_of(node.needed(0), s.heads + 2 * s.kv_heads), 2, {s.heads, s.kv_heads, s.kv_heads});
}

Tokens tokens_of(const Expansion& ex) {
  const OnnxNode& node = ex.node();
  Tokens t;
  t.length = ex.extents(node.needed(0), 1);
  t.total = ex.add(ex.reshape(ex.cast(node.needed(5), DType::i64), {-1, 1}), ex.scalar(DType::i64, 1));
  t.start = ex.binary(BinaryFn::max, ex.sub(t.total, t.length), ex.scalar(DType::i64, 0));
  t.positions = ex.add(t.start, ex.counted(t.length));
  return t;
}

Value* normalized(const Expansion& ex, Value* x, Value* weight) {
  RmsNorm op;
  op.epsilon = ex.node().attr("qk_norm_epsilon", 1e-6f);
  return weight ? ex.node().add_op(op, {x, weight}) : x;
}

void rotate_both(const Expansion& ex, const Tokens& tokens, std::vector<Value*>& qkv) {
  const OnnxNode& node = ex.node();
  if (node.attr<int64_t>("do_rotary", 0) == 0) return;
  Rotary rotary;
  rotary.cos = node.needed(7), rotary.sin = node.needed(8);
  if (node.attr<int64_t>("rotary_interleaved", 0) != 0) rotary.pairs = RotaryPairs::interleaved;
  Value* positions = tokens.positions;
  if (Value* given = node.input(9)) {  // of a prompt the first one counts alone
    Value* first = ex.slice(ex.reshape(given, {-1}), 0, 0, 1);
    Value* prompt = ex.binary(BinaryFn::equal, ex.reshape(ex.cast(node.needed(6), DType::i64), {1}), tokens.length);
    positions = ex.where(prompt, ex.add(first, ex.counted(tokens.length)), given);
  }
  for (const size_t i : {0, 1}) qkv[i] = rotate(ex, qkv[i], positions, rotary);
}

// The cache [B,Hkv,T,D] with the new tokens behind those there were; what lies behind them is zero.
Value* present_of(const Expansion& ex, Value* past, Value* added, const Tokens& tokens) {
  const OnnxNode& node = ex.node();
  if (!past) return added;
  Value* old = ex.extents(past, 2);
  Value* room = ex.binary(BinaryFn::max, ex.reshape(ex.cast(node.needed(6), DType::i64), {1}), old);
  Value* grown = node.add_op(Pad(), {past, ex.concat({ex.ints({0}), ex.sub(room, old)}, 0), ex.scalar(past->type.dtype, 0), ex.ints({2})});
  TensorScatter write;
  write.axis = 2;
  Value* written = node.add_op(write, {grown, added, ex.reshape(tokens.start, {-1})});
  Value* used = ex.binary(BinaryFn::less, ex.counted(room), ex.add(tokens.start, tokens.length));  // [B,T]
  return ex.where(ex.unsqueeze(used, {1, 3}), written, ex.scalar(past->type.dtype, 0));
}

// [B,1,S,T] in the type of the scores.
Value* mask_of(const Expansion& ex, const Tokens& tokens, Value* present, DType dtype) {
  const OnnxNode& node = ex.node();
  Value* keys = ex.counted(ex.extents(present, 2));
  const bool forward = node.attr<int64_t>("causal", 1) == 0;
  Value* queries = ex.unsqueeze(tokens.positions, {2});
  Value* allowed =
      forward ? ex.expand(ex.unsqueeze(ex.binary(BinaryFn::less, keys, tokens.total), {1}), ex.concat({ex.ints({1}), tokens.length, ex.ints({1})}, 0))
              : ex.binary(BinaryFn::less_equal, keys, queries);
  if (const auto window = node.attr<int64_t>("local_window_size", -1); window > 0) {
    Value* near = ex.binary(BinaryFn::greater, keys, ex.sub(queries, ex.scalar(DType::i64, static_cast<double>(window))));
    allowed = ex.binary(BinaryFn::logical_and, allowed, near);
  }
  return ex.unsqueeze(mask_from(ex, allowed, dtype, lowest(dtype)), {1});
}

// x [B or 1, H or 1, S, T] for queries that stand as [B,Hkv,G*S,D]: heads of one group in turn.
Value* grouped(const Expansion& ex, Value* x, const Sizes& s) {
  if (s.group() == 1) return x;
  const Shape& shape = x->type.shape;
  require(shape.has_rank() && shape.rank() == 4, ErrorKind::model, "a bias of the scores has four axes, not ", x->type);
  const bool shared = shape[1] == Dim(1);
  if (shared) x = ex.expand(ex.unsqueeze(x, {2}), ex.ints({1, 1, s.group(), 1, 1}));
  else if (!shape[1].is_number()) x = ex.expand(x, ex.ints({1, s.heads, 1, 1}));
  return ex.reshape(x, ex.concat({ex.ints({0, shared ? 1 : s.kv_heads, -1}), ex.extents(x, shared ? 4 : 3)}, 0));
}

// The score of each head that weights nothing: given, or 0 where smooth_softmax asks for it.
Value* sink_of(const Expansion& ex, const Sizes& s, const Tokens& tokens, DType dtype) {
  const OnnxNode& node = ex.node();
  if (!node.input(11)) return node.attr<int64_t>("smooth_softmax", 0) == 1 ? ex.reshape(ex.scalar(dtype, 0), {1, 1, 1, 1}) : nullptr;
  Value* column = ex.reshape(node.input(11), {1, s.heads, 1, 1});
  return grouped(ex, ex.expand(column, ex.concat({ex.ints({1, 1}), tokens.length, ex.ints({1})}, 0)), s);
}

}  // namespace

// com.microsoft's attention of decoders: fewer keys than queries, a cache of past keys whose used length is given for every sample, positions
// rotated on the way. Expanded at import.
struct GroupQueryAttention {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(GroupQueryAttention)

const std::span<const OnnxName> GroupQueryAttention::kOnnx{kNames};

std::vector<Value*> GroupQueryAttention::from_onnx(const OnnxNode& node) {
  check_supported(node);
  const Expansion ex(node);
  const Sizes s = sizes_of(node);
  const Tokens tokens = tokens_of(ex);
  std::vector<Value*> qkv = operands(ex, s);
  qkv[0] = normalized(ex, qkv[0], node.input(14));
  qkv[1] = normalized(ex, qkv[1], node.input(15));
  rotate_both(ex, tokens, qkv);
  const DType dtype = qkv[0]->type.dtype;
  Value* k = present_of(ex, node.input(3), ex.transpose(qkv[1], {0, 2, 1, 3}), tokens);
  Value* v = present_of(ex, node.input(4), ex.transpose(qkv[2], {0, 2, 1, 3}), tokens);
  // The queries that share a key stand below one another: one product per key.
  Value* q = ex.transpose(qkv[0], {0, 2, 1, 3});
  if (s.group() > 1) q = ex.reshape(q, {0, s.kv_heads, -1, s.head_size});
  Scoring scoring;
  scoring.scale = attention_scale(node, s.head_size);
  scoring.softcap = node.attr("softcap", 0.0f);
  scoring.bias = grouped(ex, mask_of(ex, tokens, k, dtype), s);
  if (Value* bias = node.input(10)) scoring.bias = ex.add(grouped(ex, bias, s), scoring.bias);
  scoring.sink = sink_of(ex, s, tokens, dtype);
  Value* y = attend(ex, q, k, v, scoring, Keeps::result).y;
  if (s.group() > 1) y = ex.reshape(y, ex.concat({ex.ints({0, s.heads}), tokens.length, ex.ints({s.head_size})}, 0));
  return {merge_heads(ex, y), k, v};
}

}  // namespace onecard
