#include "lib/ops/attention_parts.h"

#include <cmath>

#include "lib/ops/attention.h"
#include "lib/ops/matmul.h"
#include "lib/ops/operands.h"
#include "lib/ops/softmax.h"

namespace onecard {

Attended attend(const Expansion& ex, Value* q, Value* k, Value* v, const Scoring& scoring, Keeps keeps) {
  const OnnxNode& node = ex.node();
  Attended a;
  if (keeps == Keeps::result && scoring.softcap <= 0 && !scoring.sink) {
    Attention op;
    op.scale = scoring.scale;
    a.y = node.add_op(op, scoring.bias ? std::vector<Value*>{q, k, v, scoring.bias} : std::vector<Value*>{q, k, v});
    return a;
  }
  MatMul product;
  product.transpose_b = Transpose2::yes;
  product.alpha = scoring.scale;
  a.scores = node.add_op(product, {q, k});
  if (scoring.softcap > 0) {
    const auto cap = static_cast<double>(scoring.softcap);
    a.scores = ex.times(ex.unary({Fn::tanh}, ex.times(a.scores, 1 / cap)), cap);
  }
  if (scoring.bias) a.scores = ex.add(a.scores, scoring.bias);
  if (scoring.sink) {
    Value* beside = ex.expand(scoring.sink, ex.concat({ex.extents(a.scores, 0, 3), ex.ints({1})}, 0));
    Value* whole = node.add_op(Softmax(), {ex.concat({a.scores, beside}, -1)});
    a.weights = ex.slice(whole, -1, 0, -1);
  } else {
    a.weights = node.add_op(Softmax(), {a.scores});
  }
  a.y = node.add_op(MatMul(), {a.weights, v});
  return a;
}

float attention_scale(const OnnxNode& node, int64_t head_size) {
  const float given = node.attr("scale", 0.0f);
  return given != 0 ? given : static_cast<float>(1 / std::sqrt(static_cast<double>(head_size)));
}

int64_t part_size(const Value* x, int64_t parts, std::string_view what) {
  const Shape& s = x->type.shape;
  require(s.has_rank() && s.rank() >= 1 && s[s.rank() - 1].is_number(), ErrorKind::model, "the last extent of ", what, ", ", x->type,
          ", must be known");
  const int64_t whole = s[s.rank() - 1].number();
  require(parts > 0 && whole > 0 && whole % parts == 0, ErrorKind::model, what, " has ", whole, " features, which do not make ", parts, " heads");
  return whole / parts;
}

int64_t needed_heads(const OnnxNode& node, std::string_view key) {
  const auto heads = node.needed_attr<int64_t>(key);
  require(heads > 0 && heads <= int64_t{1} << 20, ErrorKind::model, key, " is ", heads);
  return heads;
}

Value* split_heads(const Expansion& ex, Value* x, int64_t heads) { return ex.transpose(ex.reshape(x, {0, 0, heads, -1}), {0, 2, 1, 3}); }

Value* merge_heads(const Expansion& ex, Value* x) {
  const Shape& s = x->type.shape;
  const bool known = s.has_rank() && s.rank() == 4 && s[1].is_number() && s[3].is_number();
  return ex.reshape(ex.transpose(x, {0, 2, 1, 3}), {0, 0, known ? s[1].number() * s[3].number() : -1});
}

Value* mask_from(const Expansion& ex, Value* allowed, DType dtype, double refused) {
  return ex.where(allowed, ex.scalar(dtype, 0), ex.scalar(dtype, refused));
}

Value* causal(const Expansion& ex, Value* past, Value* length, Value* total) {
  Value* queries = ex.unsqueeze(ex.add(ex.counted(length), past), {1});
  return ex.binary(BinaryFn::less_equal, ex.counted(total), queries);
}

double lowest(DType dtype) {
  return dtype == DType::f16    ? -65504.0
         : dtype == DType::f64  ? -1.7976931348623157e308
         : dtype == DType::bf16 ? -3.3895313892515355e38
                                : -3.4028234663852886e38;
}

Value* added(const Expansion& ex, Value* a, Value* b) { return a && b ? ex.add(a, b) : a ? a : b; }

Value* rotate(const Expansion& ex, Value* x, Value* positions, const Rotary& rotary) {
  const int64_t half = part_size(rotary.cos, 1, "cos_cache"), size = part_size(x, 1, "the rotated value");
  require(2 * half <= size, ErrorKind::model, "rotates ", 2 * half, " of ", size, " elements of a head");
  Value* cos = ex.unsqueeze(ex.cast(ex.gather(rotary.cos, positions, 0), x->type.dtype), {rotary.heads_axis});
  Value* sin = ex.unsqueeze(ex.cast(ex.gather(rotary.sin, positions, 0), x->type.dtype), {rotary.heads_axis});
  Value* rest = 2 * half < size ? ex.slice(x, -1, 2 * half, INT64_MAX) : nullptr;
  Value* turned = rest ? ex.slice(x, -1, 0, 2 * half) : x;
  const bool interleaved = rotary.pairs == RotaryPairs::interleaved;
  Value *a, *b;
  if (interleaved) {
    const auto pair = ex.split(ex.reshape(turned, {0, 0, 0, half, 2}), -1, {1, 1});
    a = ex.squeeze(pair[0], {-1}), b = ex.squeeze(pair[1], {-1});
  } else {
    const auto pair = ex.split(turned, -1, {half, half});
    a = pair[0], b = pair[1];
  }
  Value* real = ex.sub(ex.mul(a, cos), ex.mul(b, sin));
  Value* imaginary = ex.add(ex.mul(a, sin), ex.mul(b, cos));
  Value* y = interleaved ? ex.reshape(ex.concat({ex.unsqueeze(real, {-1}), ex.unsqueeze(imaginary, {-1})}, -1), {0, 0, 0, 2 * half})
                         : ex.concat({real, imaginary}, -1);
  return rest ? ex.concat({y, rest}, -1) : y;
}

}  // namespace onecard
