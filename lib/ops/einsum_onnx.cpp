#include <algorithm>

#include "lib/ops/arithmetic.h"
#include "lib/ops/binary.h"
#include "lib/ops/einsum.h"
#include "lib/ops/matmul.h"
#include "lib/ops/movement.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"", "Einsum", 12}};

using Labels = std::vector<int>;
bool holds(const Labels& labels, int label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }
bool all_differ(const Labels& labels) {
  return std::all_of(labels.begin(), labels.end(), [&](int l) { return std::count(labels.begin(), labels.end(), l) == 1; });
}
Labels joined(const Labels& a, const Labels& b) {
  Labels both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

// x, whose axes are labelled `from`, with its axes in the order `to`.
Value* ordered(const OnnxNode& node, Value* x, const Labels& from, const Labels& to) {
  if (from == to) return x;
  Transpose transpose;
  for (int label : to) transpose.perm.push_back(std::find(from.begin(), from.end(), label) - from.begin());
  return node.add_op(transpose, {x});
}

Dim extent_of(const Value* x, const Labels& labels, int label) { return x->type.shape[std::find(labels.begin(), labels.end(), label) - labels.begin()]; }

// A product of two operands as batches of matrices: labels of both and of the result, of a and the result, of b and the result, and summed ones.
struct MatrixForm {
  Labels batch, rows, columns, inner;
};

std::optional<MatrixForm> matrix_form(const OnnxNode& node, const EinsumLabels& e) {
  const Labels &a = e.operands[0], &b = e.operands[1];
  if (!all_differ(a) || !all_differ(b)) return std::nullopt;
  MatrixForm form;
  for (int label : e.result) (!holds(b, label) ? form.rows : !holds(a, label) ? form.columns : form.batch).push_back(label);
  for (int label : e.summed) {
    if (!holds(a, label) || !holds(b, label) || !same_size(extent_of(node.inputs[0], a, label), extent_of(node.inputs[1], b, label))) return std::nullopt;
    form.inner.push_back(label);
  }
  return form;
}

// A list for Reshape: 0 for each batch axis, then the given extents, of which one may be open; none when more are.
std::optional<std::vector<int64_t>> reshape_list(size_t batch, const std::vector<Dim>& extents) {
  std::vector<int64_t> list(batch, 0);
  bool open = false;
  for (const Dim& d : extents) {
    const bool known = d.is_number() && d.number() > 0;
    if (!known && open) return std::nullopt;
    open = open || !known;
    list.push_back(known ? d.number() : -1);
  }
  return list;
}

Dim product(const Value* x, const Labels& labels, const Labels& of) {
  Dim p = 1;
  for (int label : of) p = p * extent_of(x, labels, label);
  return p;
}

// The nodes of a batched matrix product, or null when extents that are not known now would be needed.
Value* as_matmul(const OnnxNode& node, const EinsumLabels& e, const MatrixForm& f) {
  Value *a = node.inputs[0], *b = node.inputs[1];
  const Labels &la = e.operands[0], &lb = e.operands[1];
  const size_t batch = f.batch.size();
  if (f.rows.empty() && f.columns.empty() && f.inner.empty()) {
    return node.add_op(Binary(BinaryFn::mul), {ordered(node, a, la, e.result), ordered(node, b, lb, e.result)});
  }
  const auto a_list = reshape_list(batch, {product(a, la, f.rows), product(a, la, f.inner)});
  const auto b_list = reshape_list(batch, {product(b, lb, f.inner), product(b, lb, f.columns)});
  std::vector<Dim> result;
  for (int label : f.rows) result.push_back(extent_of(a, la, label));
  for (int label : f.columns) result.push_back(extent_of(b, lb, label));
  const auto y_list = reshape_list(batch, result);
  const bool plain_a = f.rows.size() == 1 && f.inner.size() == 1, plain_b = f.inner.size() == 1 && f.columns.size() == 1;
  const bool plain_y = f.rows.size() == 1 && f.columns.size() == 1;
  if ((!plain_a && !a_list) || (!plain_b && !b_list) || (!plain_y && !y_list)) return nullptr;
  a = ordered(node, a, la, joined(joined(f.batch, f.rows), f.inner));
  b = ordered(node, b, lb, joined(joined(f.batch, f.inner), f.columns));
  if (!plain_a) a = node.add_op(Reshape(), {a, int_list(node, *a_list)});
  if (!plain_b) b = node.add_op(Reshape(), {b, int_list(node, *b_list)});
  Value* y = node.add_op(MatMul(), {a, b});
  if (!plain_y) y = node.add_op(Reshape(), {y, int_list(node, *y_list)});
  return ordered(node, y, joined(joined(f.batch, f.rows), f.columns), e.result);
}

// One operand without a diagonal: a sum and a transposition.
Value* as_sum(const OnnxNode& node, const EinsumLabels& e) {
  const Labels& labels = e.operands[0];
  if (!all_differ(labels)) return nullptr;
  Value* x = node.inputs[0];
  Labels kept;
  std::vector<int64_t> axes;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (holds(e.result, labels[i])) kept.push_back(labels[i]);
    else axes.push_back(static_cast<int64_t>(i));
  }
  Reduce sum;
  sum.keep_dims = KeepDims::no;
  if (!axes.empty()) x = node.add_op(sum, {x, int_list(node, axes)});
  return ordered(node, x, kept, e.result);
}

}  // namespace

const std::span<const OnnxName> Einsum::kOnnx{kNames};

std::vector<Value*> Einsum::from_onnx(const OnnxNode& node) {
  Einsum op;
  op.equation = node.needed_attr<std::string>("equation");
  std::vector<int64_t> ranks;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const TensorType& t = node.needed(i)->type;
    if (t.shape.has_rank() && is_arithmetic_float(t.dtype)) ranks.push_back(t.shape.rank());
  }
  if (ranks.size() == node.inputs.size() && ranks.size() >= 1 && ranks.size() <= 2) {
    const EinsumLabels e = einsum_labels(op.equation, ranks);
    if (ranks.size() == 1)
      if (Value* y = as_sum(node, e)) return {y};
    if (ranks.size() == 2)
      if (const auto form = matrix_form(node, e))
        if (Value* y = as_matmul(node, e, *form)) return {y};
  }
  return {node.add_op(op, node.inputs)};
}

}  // namespace onecard
