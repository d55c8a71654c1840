#include "lib/ops/dynamic_conv.h"

#include <numeric>

#include "lib/ops/binary.h"
#include "lib/ops/conv_integer.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/quantize.h"
#include "lib/ops/reinterpret.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

ConvInteger integer_op(const Conv& op) {
  ConvInteger made;
  made.strides = op.strides, made.dilations = op.dilations, made.pads = op.pads;
  made.group = op.group, made.auto_pad = op.auto_pad;
  return made;
}

Value* list_of(const NodesBefore& before, const std::vector<int64_t>& list) {
  return before.constant(Tensor::of<int64_t>({static_cast<int64_t>(list.size())}, list));
}

// One number per output channel, spread over the spatial axes.
Value* beside_channels(const NodesBefore& before, Value* v, int64_t rank) {
  std::vector<int64_t> axes(static_cast<size_t>(rank - 2));
  std::iota(axes.begin(), axes.end(), int64_t{1});
  return before.add(Unsqueeze(), {v, list_of(before, axes)});
}

Tensor vector_of(const std::vector<float>& v) { return Tensor::of<float>({static_cast<int64_t>(v.size())}, v); }

// An image of ones under the windows of x: what a zero point of 1 would add to the sums.
Value* ones_like_an_image(const NodesBefore& before, Value* x) {
  ShapeOf extents;
  extents.start = 1;
  Value* shape = before.add(Concat(), {list_of(before, {1}), before.add(extents, {x})});
  return before.add(Expand(), {before.scalar(DType::u8, 1), shape});
}

}  // namespace

Value* add_dynamic_conv(Graph& graph, Node& node, const Conv& op) {
  const NodesBefore before(graph, node);
  Value *x = node.input(0), *w = node.input(1);
  const int64_t rank = w->type.shape.rank();
  const bool one_image = x->type.shape.has_rank() && x->type.shape[0] == Dim(1);
  const Dynamic over = one_image ? Dynamic::tensor : op.dynamic;
  const Quantization& q = *w->type.quant;
  const auto zeros = static_cast<int64_t>(q.zero_point.size());
  Tensor zero(w->type.dtype, zeros == 1 ? Dims{} : Dims{zeros});
  for (int64_t i = 0; i < zeros; ++i) zero.set_int(i, q.zero_at(static_cast<size_t>(i)));
  Value *codes_w = before.add(Reinterpret(), {w}), *zero_w = before.constant(std::move(zero));
  const DynamicNodes codes = add_dynamic_codes(before, x, over, rank);
  // ConvInteger pads with the zero point that it is given, one for all: those of images are taken out by what they add to the sums.
  Value* sums = before.add(integer_op(op), {codes.codes, codes_w, over == Dynamic::tensor ? codes.zero : nullptr, zero_w});
  if (over != Dynamic::tensor) {
    Value* added = before.add(integer_op(op), {ones_like_an_image(before, x), codes_w, nullptr, zero_w});
    sums = before.add(Binary(BinaryFn::sub), {sums, before.add(Binary(BinaryFn::mul), {codes.zero, added})});
  }
  Value* scale = before.constant(vector_of(q.scale));
  Value* y = add_rescale(before, sums, codes.scale, beside_channels(before, scale, rank));
  Value* bias = node.input(2);
  if (!bias) return y;
  if (bias->type.quant) bias = before.add(Dequantize(), {bias});
  return before.add(Binary(BinaryFn::add), {y, beside_channels(before, bias, rank)});
}

}  // namespace onecard
