#include "lib/ops/integer_sum.h"

#include <algorithm>
#include <cmath>

namespace onecard {

namespace {
bool is_byte(DType t) { return t == DType::i8 || t == DType::u8; }
}  // namespace

bool rescales_integers(const LayerTypes& types, const Activation& f, const QuantizationPtr& output) {
  if (!output || output->axis >= 0 || !types.x->quant || !types.w->quant || !is_byte(types.x->dtype) || !is_byte(types.w->dtype)) return false;
  if (!f.is_identity() && f.fn != Fn::relu) return false;
  const Quantization &x = *types.x->quant, &w = *types.w->quant;
  if (x.axis >= 0 || x.block != 0 || w.block != 0 || (w.axis >= 0 && w.axis != types.channel_axis)) return false;
  if (!types.bias) return true;
  const Quantization* b = types.bias->quant.get();
  if (!b || types.bias->dtype != DType::i32 || types.bias->shape.rank() != 1 || b->block != 0 || b->zero_point != std::vector<int32_t>{0})
    return false;
  if (b->scale.size() != w.scale.size() && b->scale.size() != 1 && w.scale.size() != 1) return false;
  for (size_t i = 0; i < std::max(b->scale.size(), w.scale.size()); ++i)
    if (b->scale[b->scale.size() == 1 ? 0 : i] != x.scale[0] * w.scale[w.scale.size() == 1 ? 0 : i]) return false;
  return true;
}

double rescaled(double sum, float factor, int32_t zero, const Activation& f) {
  const float v = static_cast<float>(sum) * factor;
  return std::nearbyint(f.fn == Fn::relu ? std::max(v, 0.0f) : v) + static_cast<double>(zero);
}

}  // namespace onecard
