// matmul(softmax(matmul(q, k') * s + m), v) => attention(q, k, v, m) {scale=s}
//   q, k, v of rank 4, float, of surely equal batch and heads; softmax over the last axis; the scale on the scores, on q or on k, by mul or
//   div; m broadcasts to the scores; k' is transpose(k), or k with its width first; the inner results are read by nothing else.
#include "lib/ops/attention.h"
#include "lib/ops/matmul.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/softmax.h"
#include "passes/match.h"

namespace onecard {

namespace {

bool multiplies_only(const Node& node) {
  const auto& op = *node.as<MatMul>();
  return !node.input(2) && !node.input(3) && op.activation.is_identity() && !op.output && op.transpose_a == Transpose2::no &&
         op.dynamic == Dynamic::no;
}

// The value without factors that only this use sees; `scale` takes them.
Value* unscaled(const Graph& graph, Value* v, double& scale) {
  for (int i = 0; i < 4; ++i) {
    const auto scaled = sole_producer<Binary>(graph, v) ? scaled_by(v) : std::nullopt;
    if (!scaled) break;
    scale *= scaled->number;
    v = scaled->x;
  }
  return v;
}

bool swaps_last_two(const Transpose& op) { return op.perm == std::vector<int64_t>{0, 1, 3, 2}; }

struct Scores {
  Value *q = nullptr, *k = nullptr, *bias = nullptr;
  Attention op;
};

std::optional<Scores> products(const Graph& graph, Value* v, double scale) {
  const Node* matmul = sole_producer<MatMul>(graph, unscaled(graph, v, scale));
  if (!matmul || !multiplies_only(*matmul)) return std::nullopt;
  scale *= static_cast<double>(matmul->as<MatMul>()->alpha);
  Scores s;
  s.q = unscaled(graph, matmul->inputs[0], scale);
  s.k = unscaled(graph, matmul->inputs[1], scale);
  bool tokens_first = matmul->as<MatMul>()->transpose_b == Transpose2::yes;
  if (const Node* transpose = producer_of<Transpose>(s.k); transpose && swaps_last_two(*transpose->as<Transpose>())) {
    s.k = unscaled(graph, transpose->inputs[0], scale);
    tokens_first = !tokens_first;
  }
  s.op.key_layout = tokens_first ? KeyLayout::tokens_first : KeyLayout::width_first;
  s.op.scale = static_cast<float>(scale);
  return s;
}

std::optional<Scores> scores_of(const Graph& graph, Value* v) {
  if (const Node* add = sole_binary(graph, v, BinaryFn::add)) {
    for (size_t i = 0; i < 2; ++i) {
      Value *sum = add->inputs[i], *bias = add->inputs[1 - i];
      auto s = products(graph, sum, 1);
      if (!s || bias->type.dtype != sum->type.dtype || bias->type.quant || !broadcasts_into(bias->type.shape, sum->type.shape)) continue;
      s->bias = bias;
      return s;
    }
    return std::nullopt;
  }
  return products(graph, v, 1);
}

bool same_batch_and_heads(const Shape& a, const Shape& b) { return same_size(a[0], b[0]) && same_size(a[1], b[1]); }

bool fits(const Scores& s, const Value* v) {
  for (const Value* x : {static_cast<const Value*>(s.q), static_cast<const Value*>(s.k), v})
    if (!x->type.shape.has_rank() || x->type.shape.rank() != 4 || !is_float(x->type.dtype) || x->type.quant || x->type.dtype != s.q->type.dtype) return false;
  return same_batch_and_heads(s.q->type.shape, s.k->type.shape) && same_batch_and_heads(s.q->type.shape, v->type.shape);
}

bool rule(Graph& graph, Node& node, const MatMul& op) {
  if (!multiplies_only(node) || op.transpose_b == Transpose2::yes || op.alpha != 1) return false;
  const Node* softmax = sole_producer<Softmax>(graph, node.inputs[0]);
  if (!softmax || softmax->as<Softmax>()->form != SoftmaxForm::plain) return false;
  const int64_t axis = softmax->as<Softmax>()->axis;
  if (axis != -1 && axis != 3) return false;
  const auto s = scores_of(graph, softmax->inputs[0]);
  Value* v = node.inputs[1];
  if (!s || !fits(*s, v)) return false;
  std::vector<Value*> in{s->q, s->k, v};
  if (s->bias) in.push_back(s->bias);
  return inferred(s->op, in) && replace_node(graph, node, s->op, std::move(in));
}

}  // namespace

int64_t fuse_attention(Graph& graph, PassContext&) { return rewrite_each<MatMul>(graph, rule); }

}  // namespace onecard
