#include "lib/ops/movement.h"

namespace onecard {

// ONNX Constant, at import: it is no node here.
struct Constant {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

namespace {

constexpr OnnxName kNames[] = {{"", "Constant", 1}};

template <class T>
Tensor list(const std::vector<T>& values) { return Tensor::of<T>({static_cast<int64_t>(values.size())}, values); }

// The value in whichever form the attributes give it.
ConstTensor value_of(const OnnxNode& node) {
  for (const auto key : {"value", "sparse_value"})
    if (node.has(key)) return node.needed_attr<ConstTensor>(key);
  const auto made = [](Tensor t) { return std::make_shared<const Tensor>(std::move(t)); };
  if (node.has("value_float")) return made(Tensor::scalar(node.needed_attr<float>("value_float")));
  if (node.has("value_floats")) return made(list(node.needed_attr<std::vector<float>>("value_floats")));
  if (node.has("value_int")) return made(Tensor::scalar(node.needed_attr<int64_t>("value_int")));
  if (node.has("value_ints")) return made(list(node.needed_attr<std::vector<int64_t>>("value_ints")));
  if (node.has("value_string")) return made(Tensor::strings({}, {node.needed_attr<std::string>("value_string")}));
  if (node.has("value_strings")) {
    auto strings = node.needed_attr<std::vector<std::string>>("value_strings");
    const Dims dims{static_cast<int64_t>(strings.size())};
    return made(Tensor::strings(dims, std::move(strings)));
  }
  fail(ErrorKind::model, "has no value");
}

}  // namespace

const std::span<const OnnxName> Constant::kOnnx{kNames};

std::vector<Value*> Constant::from_onnx(const OnnxNode& node) {
  const std::string name = node.outputs.empty() ? node.name : node.outputs[0];
  Value* v = node.graph->add_constant(name, value_of(node));
  if (v->origin.empty() && !name.empty()) v->origin = {name};
  return {v};
}

DEFINE_OP(Constant)

}  // namespace onecard
