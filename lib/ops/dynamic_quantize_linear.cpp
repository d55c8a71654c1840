#include "lib/ops/dynamic_quantize_linear.h"

#include <algorithm>
#include <cmath>

#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(DynamicQuantizeLinear)
namespace {
constexpr OnnxName kNames[] = {{"", "DynamicQuantizeLinear", 11}};
}

DynamicScale dynamic_scale(float low, float high) {
  const float scale = (high - low) / 255.0f;
  if (!(scale > 0)) return {};
  const float zero = std::nearbyint(-low / scale);
  return {scale, zero > 0 ? static_cast<int32_t>(std::min(zero, 255.0f)) : 0};
}

DynamicScale dynamic_scale_of(std::span<const float> x) {
  float low = 0, high = 0;
  for (const float v : x) low = std::min(low, v), high = std::max(high, v);
  return dynamic_scale(low, high);
}

uint8_t dynamic_code(float x, const DynamicScale& scale) {
  const float code = std::nearbyint(x / scale.scale) + static_cast<float>(scale.zero);
  return static_cast<uint8_t>(code >= 0 ? std::min(code, 255.0f) : 0.0f);
}

std::vector<TensorType> DynamicQuantizeLinear::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  require(x.dtype == DType::f32, ErrorKind::model, "x is ", x, "; it must be f32");
  return {TensorType(DType::u8, x.shape), TensorType(DType::f32, Shape{}), TensorType(DType::u8, Shape{})};
}

void DynamicQuantizeLinear::reference(Inputs in, Outputs out) const {
  const auto x = in[0]->data<float>();
  const DynamicScale q = dynamic_scale_of(x);
  shape_output(out[0], DType::u8, in[0]->dims());
  shape_output(out[1], DType::f32, {});
  shape_output(out[2], DType::u8, {});
  const auto y = out[0].data<uint8_t>();
  for (size_t i = 0; i < x.size(); ++i) y[i] = dynamic_code(x[i], q);
  out[1].data<float>()[0] = q.scale;
  out[2].data<uint8_t>()[0] = static_cast<uint8_t>(q.zero);
}

std::optional<OnnxForm> DynamicQuantizeLinear::to_onnx(const Node&) const { return OnnxForm{"DynamicQuantizeLinear", {}, {}}; }

const std::span<const OnnxName> DynamicQuantizeLinear::kOnnx{kNames};

std::vector<Value*> DynamicQuantizeLinear::from_onnx(const OnnxNode& node) { return node.add_all(DynamicQuantizeLinear(), {node.needed(0)}); }

}  // namespace onecard
