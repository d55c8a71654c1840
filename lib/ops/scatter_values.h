#pragma once
#include "lib/ops/index_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

// Joins runs of elements of `updates` with those of `to`, by a scatter function.
class ElementJoiner {
 public:
  ElementJoiner(ScatterFn fn, const Tensor& updates, Tensor& to) : fn_(fn), updates_(updates), to_(to), copy_(updates, to) {}
  void operator()(int64_t from, int64_t to, int64_t count = 1) const {
    if (fn_ == ScatterFn::none) copy_(from, to, count);
    else combine(from, to, count);
  }

 private:
  void combine(int64_t from, int64_t to, int64_t count) const;
  ScatterFn fn_;
  const Tensor& updates_;
  Tensor& to_;
  ElementCopier copy_;
};

// The type of x with updates scattered into it; raises model when they do not fit together.
TensorType scattered_type(const InferContext& in, ScatterFn fn);
// The attribute `reduction` of a node.
ScatterFn scatter_fn(const OnnxNode& node);
// Its value in ONNX.
std::string scatter_fn_name(ScatterFn fn);

}  // namespace onecard
