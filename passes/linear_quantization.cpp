#include "passes/linear_quantization.h"

#include <algorithm>
#include <cmath>

#include "lib/ops/arithmetic.h"
#include "lib/ops/quantize.h"
#include "lib/ops/reinterpret.h"

namespace onecard {

namespace {

bool is_constant(const Value* v) { return v->constant && v->constant->has_value() && !v->type.quant && v->type.container == Container::tensor; }

bool fits(const TensorType& x, DType dtype, const Quantization& q, const Dims& scales) {
  if (!std::all_of(q.scale.begin(), q.scale.end(), [](float s) { return std::isfinite(s) && s > 0; })) return false;
  if (q.block > 0) {
    if (!x.is_static() || static_cast<int64_t>(scales.size()) != x.shape.rank()) return false;
    Dims wanted = x.shape.numbers();
    int64_t& extent = wanted[static_cast<size_t>(q.axis)];
    extent = extent / q.block + (extent % q.block != 0);
    if (scales != wanted) return false;
  } else if (q.axis >= 0 && (scales.size() != 1 || !(x.shape[q.axis] == Dim(static_cast<int64_t>(q.scale.size()))))) {
    return false;
  }
  try {
    require_quantization(x, dtype, q);
  } catch (const Error&) { return false; }
  return true;
}

}  // namespace

QuantizationPtr linear_quantization(const TensorType& x, DType dtype, const Value* scale, const Value* zero, int64_t axis, int64_t block) {
  if (!is_integer(dtype) || info(dtype).bits > 32 || dtype == DType::u32 || x.container != Container::tensor) return nullptr;
  if (!scale || !is_constant(scale) || !is_arithmetic_float(scale->type.dtype) || scale->type.dtype == DType::f64) return nullptr;
  if (zero && (!is_constant(zero) || zero->type.dtype != dtype)) return nullptr;
  Quantization q;
  const ConstTensor scales = materialize(scale->constant);
  q.scale.clear();
  for (const double s : to_doubles(*scales)) q.scale.push_back(static_cast<float>(s));
  if (zero) {
    const auto zeros = to_ints(*materialize(zero->constant));
    q.zero_point.assign(zeros.begin(), zeros.end());
    if (q.zero_point.size() != q.scale.size()) return nullptr;
    if (std::all_of(q.zero_point.begin(), q.zero_point.end(), [&](int32_t z) { return z == q.zero_point[0]; })) q.zero_point.resize(1);
  }
  if (q.scale.empty() || block < 0) return nullptr;
  const bool one = block == 0 && q.scale.size() == 1 && scales->rank() <= 1;
  if (!one) {
    if (!x.shape.has_rank() || axis < -x.shape.rank() || axis >= x.shape.rank()) return nullptr;
    q.axis = axis < 0 ? axis + x.shape.rank() : axis;
    q.block = block;
  }
  return fits(x, dtype, q, scales->dims()) ? std::make_shared<const Quantization>(std::move(q)) : nullptr;
}

Value* with_quantization(Graph& graph, Node& at, Value* codes, const QuantizationPtr& quant) {
  if (codes->constant) {
    const TensorType type(codes->type.dtype, codes->type.shape, quant);
    return graph.add_constant(graph.unique(codes->name + ".quantized"), std::make_shared<const Tensor>(codes->constant->alias(type)));
  }
  if (const Node* source = producer_of<Reinterpret>(codes); source && source->inputs[0]->type.quant && *source->inputs[0]->type.quant == *quant)
    return source->inputs[0];
  Reinterpret op;
  op.quant = quant;
  return graph.add_before(at, std::make_shared<const Reinterpret>(std::move(op)), {codes}, codes->name + ".quantized").output();
}

}  // namespace onecard
