#include "lib/ops/quantize.h"

#include <algorithm>
#include <cmath>

#include "lib/base/parallel.h"
#include "lib/base/round_small.h"
#include "lib/base/vectors.h"
#include "lib/ops/axes.h"
#include "lib/ops/integer_range.h"
#include "lib/ops/operands.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
DEFINE_OP(Quantize)
DEFINE_OP(Dequantize)
namespace {

constexpr int64_t kGrain = 1 << 14;

// A tensor's elements as runs that lie side by side, of one scale, or with their scales side by side as well.
class Runs {
 public:
  Runs(const Dims& dims, const Quantization& q) {
    if (q.axis < 0) view_.inner = element_count(dims);
    else view_ = axis_view(dims, q.axis);
    block_ = std::max<int64_t>(q.block, 1);
    blocks_ = q.block > 0 ? view_.extent / block_ + (view_.extent % block_ != 0) : 0;
    one_scale_ = view_.inner > 1 ? q.block == 0 : q.block > 0 || q.axis < 0;
  }
  bool one_scale() const { return one_scale_; }
  // Calls f(first element, count, first scale) for the runs of elements [begin, end), cut at its ends.
  template <class F>
  void each(int64_t begin, int64_t end, F&& f) const {
    const int64_t row = view_.extent * view_.inner;
    for (int64_t i = begin; i < end;) {
      const int64_t o = i / row, k = i % row / view_.inner, inner = i % view_.inner;
      const int64_t to_block_end = std::min(block_ - k % block_, view_.extent - k);
      const int64_t left = view_.inner > 1 ? view_.inner - inner : blocks_ > 0 ? to_block_end : view_.extent - k;
      const int64_t count = std::min(left, end - i);
      f(i, count, static_cast<size_t>(blocks_ > 0 ? (o * blocks_ + k / block_) * view_.inner + inner : k));
      i += count;
    }
  }

 private:
  AxisView view_;
  int64_t block_ = 1, blocks_ = 0;  // blocks_ 0: a scale per index
  bool one_scale_ = true;
};

template <class F>
void each_part(int64_t elements, F&& f) {
  parallel_for((elements + kGrain - 1) / kGrain, 1, [&](int64_t begin, int64_t end) { f(begin * kGrain, std::min(elements, end * kGrain)); });
}

// The same for bytes from f32, as loops that become the vector instructions of the machine; no two operations of theirs can be fused, so that all
// machines get the same.
struct ByteCodes {
  float zero, low, high, not_a_number;
  ByteCodes(float at, IntegerRange range)
      : zero(at),
        low(static_cast<float>(range.low) - at),
        high(static_cast<float>(range.high) - at),
        not_a_number(static_cast<float>(range.saturate(0))) {}
  uint8_t of(float x, float scale) const {
    const float r = x / scale, inside = r < low ? low : r > high ? high : r;
    return static_cast<uint8_t>(static_cast<int32_t>(r == r ? round_small(inside) + zero : not_a_number));
  }
};
ONECARD_VECTORS void bytes_of(const float* x, int64_t count, float scale, ByteCodes codes, uint8_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = codes.of(x[i], scale);
}
ONECARD_VECTORS void bytes_of(const float* x, int64_t count, const float* scales, ByteCodes codes, uint8_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = codes.of(x[i], scales[i]);
}
constexpr int32_t kMostZero = 1 << 20;  // a zero point beyond would need more digits than that

void bytes_of(const float* x, const Runs& runs, const Quantization& q, IntegerRange range, int64_t begin, int64_t end, uint8_t* to) {
  runs.each(begin, end, [&](int64_t first, int64_t count, size_t scale) {
    const ByteCodes codes(static_cast<float>(q.zero_at(scale)), range);
    uint8_t* at = to + (first - begin);
    if (runs.one_scale()) bytes_of(x + first, count, q.scale[scale], codes, at);
    else bytes_of(x + first, count, q.scale.data() + scale, codes, at);
  });
}

// Codes of elements [begin, end) of x, as numbers.
template <class T, class Code>
void codes_of(const T* x, const Runs& runs, const Quantization& q, IntegerRange range, int64_t begin, int64_t end, Code* to) {
  runs.each(begin, end, [&](int64_t first, int64_t count, size_t scale) {
    for (int64_t i = 0; i < count; ++i) {
      const size_t s = runs.one_scale() ? scale : scale + static_cast<size_t>(i);
      const float scaled = std::nearbyint(static_cast<float>(x[first + i]) / q.scale[s]);
      to[first + i - begin] = static_cast<Code>(range.saturate(static_cast<double>(scaled) + q.zero_at(s)));
    }
  });
}

void codes_into(const Tensor& x, const Quantization& q, DType dtype, uint8_t* to) {
  const auto range = integer_range(dtype);
  const Runs runs(x.dims(), q);
  // Zero points that differ within a run are left to the plain loop.
  const bool one_zero = q.zero_point.size() <= 1 || runs.one_scale();
  const bool small = std::all_of(q.zero_point.begin(), q.zero_point.end(), [](int32_t z) { return std::abs(z) <= kMostZero; });
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    each_part(x.elements(), [&](int64_t begin, int64_t end) {
      if constexpr (std::is_same_v<T, float>)
        if (one_zero && small) return bytes_of(from, runs, q, range, begin, end, to + begin);
      codes_of(from, runs, q, range, begin, end, to + begin);
    });
  });
}

void quantize_into(const Tensor& x, const Quantization& q, Tensor& y) {
  if (info(y.dtype()).bits == 8) return codes_into(x, q, y.dtype(), reinterpret_cast<uint8_t*>(y.raw()));
  const auto range = integer_range(y.dtype());
  const Runs runs(x.dims(), q);
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    each_part(x.elements(), [&](int64_t begin, int64_t end) {  // parts begin at whole bytes
      std::vector<int32_t> codes(static_cast<size_t>(end - begin));
      codes_of(from, runs, q, range, begin, end, codes.data());
      for (int64_t i = begin; i < end; ++i) y.set_int(i, codes[static_cast<size_t>(i - begin)]);
    });
  });
}

// Stored integers [begin, end) as numbers.
void read_codes(const Tensor& x, int64_t begin, int64_t end, int32_t* to) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(x.raw());
  const bool is_signed = info(x.dtype()).kind == DKind::sint;
  switch (info(x.dtype()).bits) {
    case 4:
      for (int64_t i = begin; i < end; ++i) {
        const int32_t code = (bytes[i / 2] >> (i % 2 * 4)) & 15;
        *to++ = is_signed && code > 7 ? code - 16 : code;
      }
      return;
    case 8:
      for (int64_t i = begin; i < end; ++i) *to++ = is_signed ? static_cast<int32_t>(static_cast<int8_t>(bytes[i])) : bytes[i];
      return;
    default:
      for (int64_t i = begin; i < end; ++i) *to++ = static_cast<int32_t>(x.int_at(i));
  }
}

}  // namespace

Dims scale_dims(const Dims& dims, const Quantization& q) {
  if (q.axis < 0) return {};
  const auto axis = static_cast<size_t>(q.axis);
  if (q.block == 0) return {dims.at(axis)};
  Dims scales = dims;
  scales.at(axis) = dims[axis] / q.block + (dims[axis] % q.block != 0);
  return scales;
}

void require_quantization(const TensorType& x, DType dtype, const Quantization& q) {
  require(is_integer(dtype), ErrorKind::model, "values of ", info(dtype).name, " cannot be quantized");
  require(!q.scale.empty() && (q.zero_point.size() == 1 || q.zero_point.size() == q.scale.size()), ErrorKind::model, "a quantization of ",
          q.scale.size(), " scales and ", q.zero_point.size(), " zero points");
  if (q.axis < 0) return require(q.scale.size() == 1 && q.block == 0, ErrorKind::model, "one scale is wanted, ", q.scale.size(), " are there");
  require(q.block >= 0, ErrorKind::model, "blocks of ", q.block);
  if (!x.shape.has_rank()) return;
  require(q.axis < x.shape.rank(), ErrorKind::model, "quantized along axis ", q.axis, " of ", x);
  if (q.block == 0) {
    const Dim& extent = x.shape[q.axis];
    require(!extent.is_number() || static_cast<size_t>(extent.number()) == q.scale.size(), ErrorKind::model, q.scale.size(), " scales along axis ",
            q.axis, " of ", x);
  } else if (x.shape.is_static()) {
    require(static_cast<size_t>(element_count(scale_dims(x.shape.numbers(), q))) == q.scale.size(), ErrorKind::model, q.scale.size(),
            " scales for blocks of ", q.block, " in ", x);
  }
}

Tensor quantize_tensor(const Tensor& x, DType dtype, const QuantizationPtr& quant) {
  require(quant != nullptr, ErrorKind::model, "no quantization is given");
  require_quantization(x.type(), dtype, *quant);
  Tensor y(TensorType(dtype, Shape::of(x.dims()), quant));
  quantize_into(x, *quant, y);
  return y;
}

void quantize_bytes(const Tensor& x, DType dtype, const Quantization& quant, std::span<std::byte> to) {
  require_quantization(x.type(), dtype, quant);
  require(info(dtype).bits == 8 && to.size() == static_cast<size_t>(x.elements()), ErrorKind::internal, "a byte for each element");
  codes_into(x, quant, dtype, reinterpret_cast<uint8_t*>(to.data()));
}

void dequantize_range(const Tensor& x, int64_t begin, std::span<float> to) {
  const Quantization& q = *x.type().quant;
  const Runs runs(x.dims(), q);
  std::vector<int32_t> codes(to.size());
  const int64_t end = begin + static_cast<int64_t>(to.size());
  read_codes(x, begin, end, codes.data());
  runs.each(begin, end, [&](int64_t first, int64_t count, size_t scale) {
    for (int64_t i = 0; i < count; ++i) {
      const size_t s = runs.one_scale() ? scale : scale + static_cast<size_t>(i), at = static_cast<size_t>(first + i - begin);
      to[at] = static_cast<float>(int64_t{codes[at]} - q.zero_at(s)) * q.scale[s];
    }
  });
}

Tensor dequantize_tensor(const Tensor& x) {
  require(x.type().quant != nullptr, ErrorKind::model, "not quantized: ", x.type());
  require_quantization(x.type(), x.dtype(), *x.type().quant);
  Tensor y(DType::f32, x.dims());
  const auto to = y.data<float>();
  each_part(x.elements(), [&](int64_t begin, int64_t end) {
    dequantize_range(x, begin, to.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
  });
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
  require(x.container == Container::tensor && x.quant, ErrorKind::model, "expects a quantized tensor, got ", x);
  require_quantization(x, x.dtype, *x.quant);
  require(dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16, ErrorKind::model, "cannot dequantize to ", info(dtype).name);
  return {TensorType(dtype, x.shape)};
}

void Dequantize::reference(Inputs in, Outputs out) const {
  require_quantization(in[0]->type(), in[0]->dtype(), *in[0]->type().quant);
  shape_output(out[0], dtype, in[0]->dims());
  const Tensor real = dequantize_tensor(*in[0]);
  visit_float(dtype, [&]<class T>(TypeTag<T>) {
    const auto from = real.data<float>();
    const auto to = out[0].data<T>();
    for (size_t i = 0; i < to.size(); ++i) to[i] = T(from[i]);
  });
}

std::vector<Value*> Dequantize::decompose(Graph& graph, Node& node) const {
  if (dtype == DType::f32) return {};
  const NodesBefore before(graph, node);
  Cast narrow;
  narrow.to = dtype;
  return {before.add(narrow, {before.add(Dequantize(), {node.input(0)})})};
}

}  // namespace onecard
