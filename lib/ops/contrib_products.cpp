#include <algorithm>
#include <numeric>

#include "lib/ops/matmul.h"
#include "lib/ops/named_activation.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "FusedMatMul", 1},
                               {"com.microsoft", "TransposeMatMul", 1},
                               {"com.microsoft", "FusedGemm", 1},
                               {"com.microsoft", "GemmFastGelu", 1}};

bool asks(const OnnxNode& node, std::string_view key) { return node.attr<int64_t>(key, 0) != 0; }
// One-dimensional operands have nothing to transpose: the operators say so by ignoring it.
Transpose2 transpose_of(const Value* x, bool asked) {
  return asked && !(x->type.shape.has_rank() && x->type.shape.rank() < 2) ? Transpose2::yes : Transpose2::no;
}

// The first axis behind the batch axes, when the operand stands with its batch inside.
Value* batch_first(const Expansion& ex, Value* x, bool asked) {
  if (!asked) return x;
  require(x->type.shape.has_rank() && x->type.shape.rank() >= 3, ErrorKind::model, "transBatch of ", x->type, ", which has no batch");
  std::vector<int64_t> perm(static_cast<size_t>(x->type.shape.rank()));
  std::iota(perm.begin(), perm.end(), int64_t{0});
  std::rotate(perm.begin(), perm.begin() + 1, perm.end() - 1);
  return ex.transpose(x, perm);
}

std::vector<Value*> import_matmul(const OnnxNode& node) {
  const Expansion ex(node);
  MatMul op;
  op.alpha = node.attr("alpha", 1.0f);
  Value *a = batch_first(ex, node.needed(0), asks(node, "transBatchA")), *b = batch_first(ex, node.needed(1), asks(node, "transBatchB"));
  op.transpose_a = transpose_of(a, asks(node, "transA"));
  op.transpose_b = transpose_of(b, asks(node, "transB"));
  return {node.add_op(op, {a, b})};
}

std::vector<Value*> import_gemm(const OnnxNode& node) {
  OnnxNode gemm = node;
  gemm.op_type = "Gemm";
  ActivationParameters parameters;
  for (const auto* key : {"alpha", "beta", "gamma"})
    if (const std::string own = std::string("activation_") + key; node.has(own)) parameters[key] = node.attr(own, 0.0f);
  return {named_activation(Expansion(node), MatMul::from_onnx(gemm)[0], node.attr<std::string>("activation", ""), parameters)};
}

std::vector<Value*> import_gelu(const OnnxNode& node) {
  const Expansion ex(node);
  Value* y = node.add_op(MatMul(), {node.needed(0), node.needed(1)});
  return {ex.unary({Fn::gelu_tanh}, node.input(2) ? ex.add(y, node.input(2)) : y)};
}

}  // namespace

// com.microsoft's matrix products with something beside them; expanded at import.
struct ContribProducts {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(ContribProducts)

const std::span<const OnnxName> ContribProducts::kOnnx{kNames};

std::vector<Value*> ContribProducts::from_onnx(const OnnxNode& node) {
  if (node.op_type == "FusedGemm") return import_gemm(node);
  return node.op_type == "GemmFastGelu" ? import_gelu(node) : import_matmul(node);
}

}  // namespace onecard
