#include "lib/ops/quantize.h"

#include <cmath>
#include <cstring>

#include "lib/ops/axes.h"
#include "lib/ops/integer_range.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(Quantize)
DEFINE_OP(Dequantize)
namespace {

// Calls f(i, s) for every element i of a tensor, s being the index of its scale.
template <class F>
void each_scale(const Dims& dims, const Quantization& q, F&& f) {
  const int64_t count = element_count(dims);
  if (q.axis < 0) {
    for (int64_t i = 0; i < count; ++i) f(i, size_t{0});
    return;
  }
  const AxisView view = axis_view(dims, q.axis);
  const int64_t block = std::max<int64_t>(q.block, 1), blocks = q.block > 0 ? (view.extent + block - 1) / block : view.extent;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index = i / view.inner % view.extent;
    // Blocked scales are laid out as the tensor with the axis shortened; one per index of the axis otherwise.
    const int64_t s = q.block > 0 ? (i / view.inner / view.extent * blocks + index / block) * view.inner + i % view.inner : index;
    f(i, static_cast<size_t>(s));
  }
}

void quantize_into(const Tensor& x, const Quantization& q, Tensor& y) {
  const auto range = integer_range(y.dtype());
  const auto code = [&](int64_t i, size_t s) {
    const float scaled = std::nearbyint(static_cast<float>(x.at(i)) / q.scale[s]);
    return range.saturate(static_cast<double>(scaled) + q.zero_at(s));
  };
  if (y.dtype() == DType::i8 && x.dtype() == DType::f32) {
    const auto from = x.data<float>();
    const auto to = y.data<int8_t>();
    return each_scale(x.dims(), q, [&](int64_t i, size_t s) {
      to[static_cast<size_t>(i)] =
          static_cast<int8_t>(range.saturate(static_cast<double>(std::nearbyint(from[static_cast<size_t>(i)] / q.scale[s])) + q.zero_at(s)));
    });
  }
  each_scale(x.dims(), q, [&](int64_t i, size_t s) { y.set_int(i, code(i, s)); });
}

void dequantize_into(const Tensor& x, std::span<float> y) {
  const Quantization& q = *x.type().quant;
  each_scale(x.dims(), q, [&](int64_t i, size_t s) { y[static_cast<size_t>(i)] = static_cast<float>(x.int_at(i) - q.zero_at(s)) * q.scale[s]; });
}

}  // namespace

void require_quantization(const TensorType& x, DType dtype, const Quantization& q) {
  require(is_integer(dtype), ErrorKind::model, "values of ", info(dtype).name, " cannot be quantized");
  require(!q.scale.empty() && (q.zero_point.size() == 1 || q.zero_point.size() == q.scale.size()), ErrorKind::model, "a quantization of ",
          q.scale.size(), " scales and ", q.zero_point.size(), " zero points");
  if (q.axis < 0) return require(q.scale.size() == 1 && q.block == 0, ErrorKind::model, "one scale is wanted, ", q.scale.size(), " are there");
  require(q.block >= 0, ErrorKind::model, "blocks of ", q.block);
  if (!x.shape.has_rank()) return;
  require(q.axis < x.shape.rank(), ErrorKind::model, "quantized along axis ", q.axis, " of ", x.text());
  if (q.block == 0) {
    const Dim& extent = x.shape[q.axis];
    require(!extent.is_number() || static_cast<size_t>(extent.number()) == q.scale.size(), ErrorKind::model, q.scale.size(), " scales along axis ",
            q.axis, " of ", x.text());
  } else if (x.shape.is_static()) {
    Dims scales = x.shape.numbers();
    auto& extent = scales[static_cast<size_t>(q.axis)];
    extent = extent / q.block + (extent % q.block != 0);
    require(static_cast<size_t>(element_count(scales)) == q.scale.size(), ErrorKind::model, q.scale.size(), " scales for blocks of ", q.block, " in ",
            x.text());
  }
}

Tensor quantize_tensor(const Tensor& x, DType dtype, const QuantizationPtr& quant) {
  require(quant != nullptr, ErrorKind::model, "no quantization is given");
  require_quantization(x.type(), dtype, *quant);
  Tensor y(TensorType(dtype, Shape::of(x.dims()), quant));
  quantize_into(x, *quant, y);
  return y;
}

Tensor dequantize_tensor(const Tensor& x) {
  require(x.type().quant != nullptr, ErrorKind::model, "not quantized: ", x.type().text());
  require_quantization(x.type(), x.dtype(), *x.type().quant);
  Tensor y(DType::f32, x.dims());
  dequantize_into(x, y.data<float>());
  return y;
}

std::vector<TensorType> Quantize::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  require(quant != nullptr, ErrorKind::model, "no quantization is given");
  require_quantization(x, dtype, *quant);
  return {TensorType(dtype, x.shape, quant)};
}

void Quantize::reference(Inputs in, Outputs out) const {
  const TensorType type(dtype, Shape::of(in[0]->dims()), quant);
  require_quantization(in[0]->type(), dtype, *quant);
  if (!out[0].has_value() || !(out[0].type() == type)) out[0] = Tensor(type);
  quantize_into(*in[0], *quant, out[0]);
}

std::vector<TensorType> Dequantize::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  require(x.container == Container::tensor && x.quant, ErrorKind::model, "expects a quantized tensor, got ", x.text());
  require_quantization(x, x.dtype, *x.quant);
  return {TensorType(DType::f32, x.shape)};
}

void Dequantize::reference(Inputs in, Outputs out) const {
  require_quantization(in[0]->type(), in[0]->dtype(), *in[0]->type().quant);
  shape_output(out[0], DType::f32, in[0]->dims());
  dequantize_into(*in[0], out[0].data<float>());
}

}  // namespace onecard
