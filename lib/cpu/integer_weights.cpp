#include "lib/cpu/integer_weights.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "lib/ops/integer_sum.h"
#include "lib/ops/quantize.h"

namespace onecard {
namespace {

// The largest |stored - zero| of a byte type; a zero point may lie anywhere.
int64_t reach_of(DType t, int64_t zero) {
  const int64_t low = t == DType::u8 ? 0 : -128, high = low + 255;
  return std::max(high - zero, zero - low);
}

}  // namespace

std::optional<ByteWeights> byte_weights(const TensorType& w, int64_t axis, int64_t columns) {
  if (!w.quant || (w.dtype != DType::i8 && w.dtype != DType::u8) || w.quant->block != 0) return std::nullopt;
  const Quantization& q = *w.quant;
  const auto wanted = static_cast<size_t>(columns);
  if (q.scale.size() != 1 && (q.axis != axis || q.scale.size() != wanted)) return std::nullopt;
  if (q.zero_point.size() != 1 && (q.axis != axis || q.zero_point.size() != wanted)) return std::nullopt;
  ByteWeights made;
  made.dtype = w.dtype;
  std::vector<int32_t> zero(wanted);
  for (size_t i = 0; i < wanted; ++i) {
    made.scale.push_back(q.scale.size() == 1 ? q.scale[0] : q.scale[i]);
    zero[i] = packed_zero(w.dtype, q.zero_at(i));
    made.reach = std::max(made.reach, reach_of(w.dtype, q.zero_at(i)));
  }
  if (std::any_of(zero.begin(), zero.end(), [](int32_t z) { return z != 0; })) made.zero = padded_columns(std::move(zero));
  return made;
}

int64_t code_reach(const TensorType& x) { return reach_of(x.dtype, per_tensor(x)->zero); }

Support sums_fit(int64_t x_reach, const ByteWeights& w, int64_t k) {
  const int64_t largest = x_reach * w.reach;
  return k <= std::numeric_limits<int32_t>::max() / std::max<int64_t>(largest, 1) ? yes()
                                                                                  : no("sums of " + std::to_string(k) + " products may leave int32");
}

void finish_scales(IntegerFinish& finish, std::vector<float>& scale, const KernelQuery& q, int64_t channel_axis, float more) {
  const float x = per_tensor(q.in[0])->scale;
  const LayerTypes types{&q.in[0], &q.in[1], q.has(2) ? &q.in[2] : nullptr, channel_axis};
  if (q.has(3) || more != 1 || !rescales_integers(types, finish.activation, q.out[0].quant)) {
    for (float& s : scale) s *= x * more;
    return;
  }
  for (float& s : scale) s = rescale_factor(x, s, finish.y_quant.scale);
  finish.y_quant.scale = 1;
  finish.bias = BiasUnits::sums;
}

Support integer_bias_fits(const KernelQuery& q, size_t index) {
  if (!q.has(index)) return yes();
  const TensorType& b = q.in[index];
  if (b.quant ? q.constants[index] != nullptr : b.dtype == DType::f32) return yes();
  return no("bias " + b.text() + " is neither f32 nor a quantized constant");
}

void bind_integer_bias(Step& step, const KernelQuery& q, size_t index, const IntegerFinish& finish) {
  if (!q.has(index) || !q.in[index].quant || finish.bias == BiasUnits::sums) return;
  PackedWeight packed;
  packed.input = index;
  packed.key = "dequantized";
  packed.bytes = q.in[index].shape.elements().number() * static_cast<int64_t>(sizeof(float));
  packed.pack = [](const Tensor& plain, void* to) {
    const Tensor real = dequantize_tensor(plain);
    std::memcpy(to, real.raw(), static_cast<size_t>(real.bytes()));
  };
  step.weights.push_back(std::move(packed));
}

}  // namespace onecard
