#include "lib/ops/attention.h"

#include "lib/ops/binary.h"
#include "lib/ops/matmul.h"
#include "lib/ops/matrix_product.h"
#include "lib/ops/operands.h"
#include "lib/ops/softmax.h"

namespace onecard {
DEFINE_OP(Attention)
namespace {

Transpose2 transpose_of(KeyLayout layout) { return layout == KeyLayout::tokens_first ? Transpose2::yes : Transpose2::no; }

}  // namespace

std::vector<TensorType> Attention::infer(const InferContext& in) const {
  const TensorType &q = float_tensor(in, 0), &k = float_tensor(in, 1), &v = float_tensor(in, 2);
  require(q.dtype == k.dtype && q.dtype == v.dtype, ErrorKind::model, "attention of different types");
  for (const TensorType* t : {&q, &k, &v})
    require(!t->shape.has_rank() || t->shape.rank() >= 2, ErrorKind::model, "attention needs matrices, got ", t->text());
  Shape scores = matrix_product_shape(q.shape, k.shape, Transpose2::no, transpose_of(key_layout));
  if (in.has(3)) {
    const Shape biased = broadcast(scores, float_tensor(in, 3).shape);
    require(!biased.has_rank() || !scores.has_rank() || biased.rank() == scores.rank(), ErrorKind::model, "bias does not broadcast to the scores ",
            scores);
  }
  return {TensorType(q.dtype, matrix_product_shape(scores, v.shape, Transpose2::no, Transpose2::no))};
}

// The same as its parts, but without rounding the scores in between.
void Attention::reference(Inputs in, Outputs out) const {
  const auto widened = [&](size_t i) { return convert(*in[i], DType::f64); };
  const Tensor q = widened(0), k = widened(1), v = widened(2);
  MatMul score;
  score.transpose_b = transpose_of(key_layout);
  score.alpha = scale;
  std::vector<Tensor> scores = evaluate(score, {&q, &k});
  if (in.size() > 3 && in[3] && in[3]->has_value()) {
    const Tensor bias = widened(3);
    scores = evaluate(Binary(BinaryFn::add), {&scores[0], &bias});
  }
  const auto weights = evaluate(Softmax(), {&scores[0]});
  const auto y = evaluate(MatMul(), {&weights[0], &v});
  shape_output(out[0], in[0]->dtype(), y[0].dims());
  visit_float(out[0].dtype(), [&]<class T>(TypeTag<T>) {
    for (size_t i = 0; i < static_cast<size_t>(y[0].elements()); ++i) out[0].data<T>()[i] = narrow<T>(y[0].data<double>()[i]);
  });
}

std::vector<Value*> Attention::decompose(Graph& graph, Node& node) const {
  const NodesBefore before(graph, node);
  MatMul score;
  score.transpose_b = transpose_of(key_layout);
  score.alpha = scale;
  Value* scores = before.add(score, {node.input(0), node.input(1)});
  if (Value* bias = node.input(3)) {
    require(bias->type.dtype == scores->type.dtype, ErrorKind::model, "the bias of an attention is ", info(bias->type.dtype).name, ", not ",
            info(scores->type.dtype).name);
    scores = before.add(Binary(BinaryFn::add), {scores, bias});
  }
  return {before.add(MatMul(), {before.add(Softmax(), {scores}), node.input(2)})};
}

}  // namespace onecard
