#include "lib/ops/dynamic_codes.h"

#include <numeric>

#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace {

Value* cast(const NodesBefore& before, Value* v, DType to) {
  Cast op;
  op.to = to;
  return before.add(op, {v});
}
Value* binary(const NodesBefore& before, BinaryFn fn, Value* a, Value* b) { return before.add(Binary(fn), {a, b}); }
Value* number(const NodesBefore& before, double v) { return before.scalar(DType::f32, v); }
Value* clipped(const NodesBefore& before, Value* v) {
  return binary(before, BinaryFn::min, binary(before, BinaryFn::max, v, number(before, 0)), number(before, 255));
}

// The axes along which a part lies, in a tensor of `rank`.
std::vector<int64_t> part_axes(int64_t rank, Dynamic over) {
  if (over == Dynamic::row) return {-1};
  std::vector<int64_t> axes(static_cast<size_t>(rank - 1));
  std::iota(axes.begin(), axes.end(), int64_t{1});
  return axes;
}

Value* bound_with_zero(const NodesBefore& before, ReduceFn fn, Value* x, const std::vector<int64_t>& axes) {
  Reduce reduce;
  reduce.fn = fn;
  Value* list = before.constant(Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes));
  return binary(before, fn == ReduceFn::min ? BinaryFn::min : BinaryFn::max, before.add(reduce, {x, list}), number(before, 0));
}

}  // namespace

void require_dynamic(const TensorType& x, const TensorType& w, int64_t channel_axis) {
  require(x.container == Container::tensor && x.dtype == DType::f32 && !x.quant, ErrorKind::model,
          "what is quantized while running must be f32, not ", x);
  const bool bytes = w.container == Container::tensor && w.quant && (w.dtype == DType::i8 || w.dtype == DType::u8) && w.quant->block == 0;
  require(bytes && (w.quant->axis < 0 || w.quant->axis == channel_axis), ErrorKind::model,
          "beside an operand quantized while running stand weights of 8 bits, quantized by output channel or as a whole, not ", w);
}

int64_t dynamic_part(const Dims& x, Dynamic over) {
  const int64_t all = element_count(x);
  if (over == Dynamic::row) return std::max<int64_t>(x.back(), 1);
  if (over == Dynamic::image) return std::max<int64_t>(all / std::max<int64_t>(x.front(), 1), 1);
  return std::max<int64_t>(all, 1);
}

CentredCodes centred_codes(std::span<const float> x, int64_t part) {
  CentredCodes made;
  made.part = part;
  made.codes.resize(x.size());
  for (size_t at = 0; at < x.size(); at += static_cast<size_t>(part)) {
    const auto here = x.subspan(at, std::min(x.size() - at, static_cast<size_t>(part)));
    const DynamicScale q = dynamic_scale_of(here);
    made.scale.push_back(q.scale);
    for (size_t i = 0; i < here.size(); ++i) made.codes[at + i] = dynamic_code(here[i], q) - q.zero;
  }
  return made;
}

DynamicNodes add_dynamic_codes(const NodesBefore& before, Value* x, Dynamic over, int64_t rank) {
  if (over == Dynamic::tensor) {
    const std::vector<Value*> made = before.add_all(DynamicQuantizeLinear(), {x});
    return {made[0], made[1], made[2]};
  }
  const std::vector<int64_t> axes = part_axes(rank, over);
  Value *low = bound_with_zero(before, ReduceFn::min, x, axes), *high = bound_with_zero(before, ReduceFn::max, x, axes);
  Value* step = binary(before, BinaryFn::div, binary(before, BinaryFn::sub, high, low), number(before, 255));
  Value* scale = before.add(Where(), {binary(before, BinaryFn::greater, step, number(before, 0)), step, number(before, 1)});
  const Unary negative(Activation{Fn::neg}), round(Activation{Fn::round});
  Value* zero = before.add(round, {clipped(before, binary(before, BinaryFn::div, before.add(negative, {low}), scale))});
  Value* codes = binary(before, BinaryFn::add, before.add(round, {binary(before, BinaryFn::div, x, scale)}), zero);
  return {cast(before, clipped(before, codes), DType::u8), scale, cast(before, zero, DType::i32)};
}

Value* add_rescale(const NodesBefore& before, Value* sums, Value* scale, Value* factor) {
  return binary(before, BinaryFn::mul, cast(before, sums, DType::f32), binary(before, BinaryFn::mul, scale, factor));
}

}  // namespace onecard
