#include "lib/ops/attention_parts.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/matmul.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "Attention", 1}, {"com.microsoft", "MultiHeadAttention", 1}};

// The operands of one node: q [B,H,S,D], k and v [B,H,T,D], the past counted in; the caches as the node gives them back.
struct Operands {
  Value *q = nullptr, *k = nullptr, *v = nullptr;
  Value *length = nullptr, *total = nullptr;  // S and T, i64 lists of one
  Value* past = nullptr;                      // tokens before the new ones, i64 list of one
};

// k or v with the past in front.
Value* behind_past(const Expansion& ex, Value* past, Value* fresh) { return past ? ex.concat({past, fresh}, 2) : fresh; }

// --- masks ---

// One-dimensional masks: B lengths, or 2 B numbers: where the keys of every sample end, then where they start; or 3 B + 2, of which the first B
// are the lengths. [B,T]
Value* from_lengths(const Expansion& ex, Value* mask, Value* batch, Value* keys) {
  Value *list = ex.cast(mask, DType::i64), *two = ex.add(batch, batch);
  Value* zeros = ex.expand(ex.scalar(DType::i64, 0), batch);
  Value* second = ex.slice(ex.concat({list, zeros}, 0), 0, batch, two);
  Value* starts = ex.where(ex.binary(BinaryFn::equal, ex.extents(mask, 0), two), second, zeros);
  Value* ends = ex.slice(list, 0, ex.ints({0}), batch);
  return ex.binary(BinaryFn::logical_and, ex.binary(BinaryFn::less, keys, ex.unsqueeze(ends, {1})),
                   ex.binary(BinaryFn::greater_equal, keys, ex.unsqueeze(starts, {1})));
}

// What a mask of 1 to 4 axes allows, broadcastable to [B,H,S,T].
Value* allowed_by(const Expansion& ex, Value* mask, const Operands& o) {
  require(mask->type.shape.has_rank(), ErrorKind::model, "the rank of the mask must be known");
  const int64_t rank = mask->type.shape.rank();
  if (rank == 1) return ex.unsqueeze(from_lengths(ex, mask, ex.extents(o.q, 0), ex.counted(o.total)), {1, 2});
  require(rank >= 2 && rank <= 4, ErrorKind::model, "a mask of shape ", mask->type.shape);
  if (rank == 4) {  // of the longest sequence there may be
    mask = ex.slice(mask, 2, o.past, o.total);
    mask = ex.slice(mask, 3, ex.ints({0}), o.total);
  }
  Value* allowed = ex.binary(BinaryFn::greater, ex.cast(mask, DType::i64), ex.scalar(DType::i64, 0));
  return rank == 4 ? allowed : ex.unsqueeze(allowed, rank == 3 ? std::vector<int64_t>{1} : std::vector<int64_t>{1, 2});
}

// What is added to the scores; null for nothing.
Value* mask_of(const Expansion& ex, const Operands& o, Value* mask, Value* bias) {
  const OnnxNode& node = ex.node();
  const DType dtype = o.q->type.dtype;
  Value* sum = mask ? mask_from(ex, allowed_by(ex, mask, o), dtype, node.attr("mask_filter_value", -10000.0f)) : nullptr;
  if (node.attr<int64_t>("unidirectional", 0) != 0)
    sum = ex.where(causal(ex, o.past, o.length, o.total), sum ? sum : ex.scalar(dtype, 0), ex.scalar(dtype, lowest(dtype)));
  return added(ex, bias, sum);
}

Attended attend_with(const Expansion& ex, const Operands& o, Value* mask, Value* bias, int64_t head_size, Keeps keeps) {
  Scoring scoring;
  scoring.scale = attention_scale(ex.node(), head_size);
  scoring.bias = mask_of(ex, o, mask, bias);
  return attend(ex, o.q, o.k, o.v, scoring, keeps);
}

void set_lengths(const Expansion& ex, Operands& o, Value* past) {
  o.length = ex.extents(o.q, 2);
  o.total = ex.extents(o.k, 2);
  o.past = past ? ex.extents(past, 2) : ex.ints({0});
}

// --- Attention: the projections of one input are part of it ---

std::vector<Value*> projected(const Expansion& ex, int64_t heads, int64_t& head_size) {
  const OnnxNode& node = ex.node();
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  if (node.input(2)) in.push_back(node.input(2));
  auto sizes = node.attr<std::vector<int64_t>>("qkv_hidden_sizes", {});
  const int64_t columns = part_size(in[1], 1, "the weights");
  if (sizes.empty()) sizes.assign(3, columns / 3);
  const bool fit = sizes.size() == 3 && sizes[0] == sizes[1] && sizes[0] > 0 && sizes[2] > 0 && sizes[0] <= columns && sizes[2] <= columns &&
                   2 * sizes[0] + sizes[2] == columns;
  require(fit, ErrorKind::model, "qkv_hidden_sizes do not divide ", columns, " columns");
  require(sizes[0] % heads == 0 && sizes[2] % heads == 0, ErrorKind::model, sizes[0], " features do not make ", heads, " heads");
  head_size = sizes[0] / heads;
  std::vector<Value*> qkv = ex.split(node.add_op(MatMul(), {in[0], in[1]}), -1, sizes);
  if (in.size() > 2) {
    const std::vector<Value*> biases = ex.split(in[2], 0, sizes);
    for (size_t i = 0; i < 3; ++i) qkv[i] = ex.add(qkv[i], biases[i]);
  }
  for (Value*& v : qkv) v = split_heads(ex, v, heads);
  return qkv;
}

std::vector<Value*> import_attention(const OnnxNode& node) {
  const Expansion ex(node);
  require(node.attr<int64_t>("do_rotary", 0) == 0, ErrorKind::model, "do_rotary is not supported: the operator does not say by which angles");
  require(node.attr<int64_t>("past_present_share_buffer", 0) == 0 && !node.input(6), ErrorKind::model,
          "past_present_share_buffer is not supported; export without buffer sharing");
  int64_t head_size = 0;
  const std::vector<Value*> qkv = projected(ex, needed_heads(node, "num_heads"), head_size);
  Operands o;
  o.q = qkv[0];
  Value *past_k = nullptr, *past_v = nullptr;
  if (node.input(4)) {
    const auto halves = ex.split(node.input(4), 0, {1, 1});
    past_k = ex.squeeze(halves[0], {0}), past_v = ex.squeeze(halves[1], {0});
  }
  o.k = behind_past(ex, past_k, qkv[1]), o.v = behind_past(ex, past_v, qkv[2]);
  set_lengths(ex, o, past_k);
  std::vector<Value*> outputs{merge_heads(ex, attend_with(ex, o, node.input(3), node.input(5), head_size, Keeps::result).y)};
  if (node.wants(1)) outputs.push_back(ex.concat({ex.unsqueeze(o.k, {0}), ex.unsqueeze(o.v, {0})}, 0));
  return outputs;
}

// --- MultiHeadAttention: projected operands, in several forms ---

struct Projections {
  std::vector<Value*> qkv;  // [B,H,S,D] each
  int64_t head_size = 0;
};

Value* with_bias(const Expansion& ex, Value* x, Value* bias) { return bias ? ex.add(x, bias) : x; }

// Queries, keys and values in one tensor [B,S,H,n,D], n of them.
std::vector<Value*> unpacked(const Expansion& ex, Value* x, int64_t n) {
  std::vector<Value*> parts = ex.split(x, 3, std::vector<int64_t>(static_cast<size_t>(n), 1));
  for (Value*& v : parts) v = ex.squeeze(v, {3});  // [B,S,H,D]
  return parts;
}

// `bias` of one operand as [H,D], for values that stand as [B,S,H,D].
Value* as_heads(const Expansion& ex, Value* bias, int64_t heads) { return bias ? ex.reshape(bias, {heads, -1}) : nullptr; }

Projections projections_of(const Expansion& ex, int64_t heads, Value* bias) {
  const OnnxNode& node = ex.node();
  Value *q = node.needed(0), *k = node.input(1), *v = node.input(2);
  require(q->type.shape.has_rank() && (!k || k->type.shape.has_rank()) && (!v || v->type.shape.has_rank()), ErrorKind::model,
          "the ranks of query, key and value must be known");
  Projections p;
  const auto heads_first = [&](Value* x) { return ex.transpose(x, {0, 2, 1, 3}); };
  if (q->type.shape.rank() == 5) {
    const int64_t size = p.head_size = part_size(q, 1, "the query");
    const auto biases = bias ? ex.split(bias, 0, {heads * size, heads * size, heads * size}) : std::vector<Value*>(3, nullptr);
    const auto parts = unpacked(ex, q, 3);
    for (size_t i = 0; i < 3; ++i) p.qkv.push_back(heads_first(with_bias(ex, parts[i], as_heads(ex, biases[i], heads))));
    return p;
  }
  const int64_t hidden = part_size(q, 1, "the query");
  p.head_size = part_size(q, heads, "the query");
  const int64_t value_size = bias ? part_size(bias, 1, "the bias") - 2 * hidden : 0;
  if (bias) require(value_size > 0, ErrorKind::model, "the bias is too short: ", bias->type);
  const auto biases = bias ? ex.split(bias, 0, {hidden, hidden, value_size}) : std::vector<Value*>(3, nullptr);
  p.qkv.push_back(split_heads(ex, with_bias(ex, q, biases[0]), heads));
  require(k != nullptr, ErrorKind::model, "a query of ", q->type, " without a key");
  if (k->type.shape.rank() == 5) {
    const auto parts = unpacked(ex, k, 2);
    for (size_t i = 0; i < 2; ++i) p.qkv.push_back(heads_first(with_bias(ex, parts[i], as_heads(ex, biases[i + 1], heads))));
    return p;
  }
  require(v != nullptr, ErrorKind::model, "a key without a value");
  for (size_t i = 1; i < 3; ++i) {
    Value* x = node.inputs[i];  // with four axes: heads of another attention's keys, projected and biased there
    p.qkv.push_back(x->type.shape.rank() == 4 ? x : split_heads(ex, with_bias(ex, x, biases[i]), heads));
  }
  return p;
}

std::vector<Value*> import_multi_head(const OnnxNode& node) {
  const Expansion ex(node);
  require(!node.input(8) && !node.input(9), ErrorKind::model, "a shared key-value buffer (past_sequence_length, cache_indirection) is not supported");
  const Projections p = projections_of(ex, needed_heads(node, "num_heads"), node.input(3));
  Operands o;
  o.q = p.qkv[0];
  o.k = behind_past(ex, node.input(6), p.qkv[1]), o.v = behind_past(ex, node.input(7), p.qkv[2]);
  set_lengths(ex, o, node.input(6));
  const Attended a = attend_with(ex, o, node.input(4), node.input(5), p.head_size, node.wants(3) ? Keeps::scores_too : Keeps::result);
  return {merge_heads(ex, a.y), o.k, o.v, a.scores};
}

}  // namespace

// com.microsoft's attentions over whole sequences; expanded at import.
struct ContribAttention {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(ContribAttention)

const std::span<const OnnxName> ContribAttention::kOnnx{kNames};

std::vector<Value*> ContribAttention::from_onnx(const OnnxNode& node) {
  return node.op_type == "Attention" ? import_attention(node) : import_multi_head(node);
}

}  // namespace onecard
