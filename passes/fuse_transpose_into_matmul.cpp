// matmul(transpose(a), b) => matmul(a, b) {transpose_a=yes}        matmul(a, transpose(b)) => matmul(a, b) {transpose_b=yes}
//   the transpose swaps the last two axes and no others; an operand that is transposed twice is so no more. An a that is quantized while
//   running stays as it is.
#include "lib/ops/matmul.h"
#include "lib/ops/shape_ops.h"
#include "passes/match.h"

namespace onecard {

namespace {

// Whether the transpose producing v swaps its last two axes alone; then its input.
Value* swapped(const Value* v) {
  const Node* node = producer_of<Transpose>(v);
  if (!node || !v->type.shape.has_rank() || v->type.shape.rank() < 2 || v->type.quant) return nullptr;
  const int64_t rank = v->type.shape.rank();
  const std::vector<int64_t>& perm = node->as<Transpose>()->perm;
  if (perm.empty()) return rank == 2 ? node->inputs[0] : nullptr;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t wanted = i == rank - 2 ? rank - 1 : i == rank - 1 ? rank - 2 : i;
    if (perm[static_cast<size_t>(i)] != wanted) return nullptr;
  }
  return node->inputs[0];
}

Transpose2 toggled(Transpose2 t) { return t == Transpose2::yes ? Transpose2::no : Transpose2::yes; }

bool rule(Graph& graph, Node& node, const MatMul& op) {
  Value *a = op.dynamic == Dynamic::no ? swapped(node.inputs[0]) : nullptr, *b = swapped(node.inputs[1]);
  if (!a && !b) return false;
  MatMul fused = op;
  std::vector<Value*> in = node.inputs;
  if (a) {
    fused.transpose_a = toggled(op.transpose_a);
    in[0] = a;
  }
  if (b) {
    fused.transpose_b = toggled(op.transpose_b);
    in[1] = b;
  }
  return replace_node(graph, node, std::move(fused), std::move(in));
}

}  // namespace

int64_t fuse_transpose_into_matmul(Graph& graph, PassContext&) { return rewrite_each<MatMul>(graph, rule); }

}  // namespace onecard
