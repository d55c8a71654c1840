#include "lib/ops/binary.h"
#include "lib/ops/operands.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"ai.onnx.ml", "Scaler", 1}};

}  // namespace

// (x - offset) * scale along the last axis, as f32; in f64 for an f64 x. Expanded at import.
struct Scaler {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(Scaler)

const std::span<const OnnxName> Scaler::kOnnx{kNames};

std::vector<Value*> Scaler::from_onnx(const OnnxNode& node) {
  using Floats = std::vector<float>;
  Value* x = node.needed(0);
  const Shape& shape = x->type.shape;
  const bool wide = x->type.dtype == DType::f64;
  const auto cast = [&](Value* v, DType to) {
    if (v->type.dtype == to) return v;
    Cast op;
    op.to = to;
    return node.add_op(op, {v});
  };
  Value* y = cast(x, wide ? DType::f64 : DType::f32);
  const auto step = [&](const char* key, BinaryFn fn) {
    const auto list = node.attr<Floats>(key, {});
    if (list.empty()) return;
    const bool fits = list.size() == 1 || !shape.has_rank() ||
                      (shape.rank() > 0 && (!shape[shape.rank() - 1].is_number() || shape[shape.rank() - 1] == Dim(std::ssize(list))));
    require(fits, ErrorKind::model, "attribute '", key, "' has ", list.size(), " entries for ", shape);
    Tensor t = Tensor::of<float>({std::ssize(list)}, list);
    y = node.add_op(Binary(fn), {y, node.constant(wide ? convert(t, DType::f64) : std::move(t))});
  };
  step("offset", BinaryFn::sub);
  step("scale", BinaryFn::mul);
  return {cast(y, DType::f32)};
}

}  // namespace onecard
