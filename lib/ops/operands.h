#pragma once
#include "lib/ops/arithmetic.h"
#include "lib/ops/registry.h"

namespace onecard {

// Input i, which must be a tensor of real numbers stored as such (no sequence, no quantized type).
inline const TensorType& plain_tensor(const InferContext& in, size_t i) {
  const TensorType& t = in.type(i);
  require(t.container == Container::tensor, ErrorKind::model, "input ", i, " must be a tensor, not ", t);
  require(!t.quant, ErrorKind::model, "input ", i, " must not be quantized: ", t);
  return t;
}
// The same, of f32 f64 f16 or bf16.
inline const TensorType& float_tensor(const InferContext& in, size_t i) {
  const TensorType& t = plain_tensor(in, i);
  require(is_arithmetic_float(t.dtype), ErrorKind::model, "input ", i, " must be of a floating type, not ", info(t.dtype).name);
  return t;
}

// Makes `out` a tensor of this type; one that has these extents already is kept: it may be memory given by the caller.
inline void shape_output(Tensor& out, DType dtype, const Dims& dims) {
  if (!out.has_value() || out.dtype() != dtype || out.dims() != dims) out = Tensor(dtype, dims);
}

// A rank-0 tensor holding `value`.
inline Tensor scalar_tensor(DType dtype, double value) {
  Tensor t(dtype, Dims{});
  t.set(0, value);
  return t;
}

// Adds nodes before one node while it is taken apart; the names of their values are made from its first output's.
class NodesBefore {
 public:
  NodesBefore(Graph& graph, Node& at) : graph_(graph), at_(at) {}
  template <class O>
  Value* add(O op, std::vector<Value*> in) const {
    return graph_.add_before(at_, std::make_shared<const O>(std::move(op)), std::move(in), at_.output()->name).output();
  }
  // All its outputs.
  template <class O>
  std::vector<Value*> add_all(O op, std::vector<Value*> in) const {
    return graph_.add_before(at_, std::make_shared<const O>(std::move(op)), std::move(in), at_.output()->name).outputs;
  }
  Value* constant(Tensor t) const { return graph_.add_constant(graph_.unique(at_.output()->name + "_constant"), std::move(t)); }
  Value* scalar(DType dtype, double value) const { return constant(scalar_tensor(dtype, value)); }

 private:
  Graph& graph_;
  Node& at_;
};

}  // namespace onecard
