#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX operators that give a constant value; they become constants, or an Expand of one, at import.
struct Constant {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
struct ConstantOfShape {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
