#pragma once
#include "lib/ops/activation.h"
#include "lib/ops/binary.h"
#include "lib/ops/onnx_node.h"
#include "lib/ops/reduce.h"

namespace onecard {

// Writes the nodes that one ONNX operator stands for, a call per node: what from_onnx of composed operators uses. Extents are taken from values
// as the graph runs, so symbolic ones stay symbolic.
class Expansion {
 public:
  explicit Expansion(const OnnxNode& node) : node_(node) {}
  const OnnxNode& node() const { return node_; }

  Value* ints(const std::vector<int64_t>& list) const;
  Value* scalar(DType dtype, double value) const;
  // x itself when it has the type.
  Value* cast(Value* x, DType to) const;
  Value* unary(const Activation& f, Value* x) const;
  Value* binary(BinaryFn fn, Value* a, Value* b) const;
  Value* add(Value* a, Value* b) const { return binary(BinaryFn::add, a, b); }
  Value* sub(Value* a, Value* b) const { return binary(BinaryFn::sub, a, b); }
  Value* mul(Value* a, Value* b) const { return binary(BinaryFn::mul, a, b); }
  // x times a number of its own type; x itself for 1.
  Value* times(Value* x, double factor) const;
  Value* where(Value* condition, Value* x, Value* y) const;

  // 0 in the list copies x's extent of that axis, -1 takes the rest.
  Value* reshape(Value* x, const std::vector<int64_t>& list) const { return reshape(x, ints(list)); }
  Value* reshape(Value* x, Value* shape) const;
  Value* transpose(Value* x, const std::vector<int64_t>& perm) const;
  Value* squeeze(Value* x, const std::vector<int64_t>& axes) const;
  Value* unsqueeze(Value* x, const std::vector<int64_t>& axes) const;
  Value* expand(Value* x, Value* shape) const;
  Value* concat(const std::vector<Value*>& parts, int64_t axis) const;
  // Pieces of these sizes along `axis`.
  std::vector<Value*> split(Value* x, int64_t axis, const std::vector<int64_t>& sizes) const;
  // [from, to) along `axis`; the bounds are numbers or i64 lists of one.
  Value* slice(Value* x, int64_t axis, int64_t from, int64_t to) const { return slice(x, axis, ints({from}), ints({to})); }
  Value* slice(Value* x, int64_t axis, Value* from, Value* to) const;
  Value* gather(Value* x, Value* indices, int64_t axis) const;
  Value* reduce(ReduceFn fn, Value* x, const std::vector<int64_t>& axes, KeepDims keep = KeepDims::yes) const;

  // The extents of x from axis `from` on, `count` of them, as an i64 list.
  Value* extents(Value* x, int64_t from, int64_t count = 1) const;
  // 0, 1, … below the single element of an i64 list.
  Value* counted(Value* limit) const;

 private:
  const OnnxNode& node_;
};

}  // namespace onecard
