#include "lib/ops/expansion.h"
#include "lib/ops/normalize.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "SkipLayerNormalization", 1}, {"com.microsoft", "SkipSimplifiedLayerNormalization", 1}};

}  // namespace

// com.microsoft's layer norm (RMS norm when simplified) of input + skip + bias, whose sum is the fourth output; expanded at import.
struct SkipLayerNorm {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(SkipLayerNorm)

const std::span<const OnnxName> SkipLayerNorm::kOnnx{kNames};

std::vector<Value*> SkipLayerNorm::from_onnx(const OnnxNode& node) {
  const Expansion ex(node);
  const bool simplified = node.op_type == "SkipSimplifiedLayerNormalization";
  Value* sum = ex.add(node.needed(0), node.needed(1));
  if (Value* bias = node.input(simplified ? 3 : 4)) sum = ex.add(sum, bias);
  OnnxNode norm = node;  // its attributes but the default of epsilon, and its first three outputs
  norm.attributes.emplace("epsilon", 1e-12f);
  norm.inputs = {sum, node.needed(2)};
  if (!simplified && node.input(3)) norm.inputs.push_back(node.input(3));
  if (norm.outputs.size() > 3) norm.outputs.resize(3);
  std::vector<Value*> outputs = simplified ? RmsNorm::from_onnx(norm) : LayerNorm::from_onnx(norm);
  outputs.resize(4, nullptr);
  outputs[3] = sum;
  return outputs;
}

}  // namespace onecard
