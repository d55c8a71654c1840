#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// A sequence of the inputs.
struct SequenceConstruct : OpBase<SequenceConstruct> {
  static constexpr std::string_view kName = "sequence_construct";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// An empty sequence of tensors of `dtype`.
struct SequenceEmpty : OpBase<SequenceEmpty> {
  static constexpr std::string_view kName = "sequence_empty";
  DType dtype = DType::f32;
  static constexpr auto kFields = std::tuple{field("dtype", &SequenceEmpty::dtype)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// The tensor at a position, from the back when negative. Inputs: sequence, position.
struct SequenceAt : OpBase<SequenceAt> {
  static constexpr std::string_view kName = "sequence_at";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// The sequence with a tensor inserted before a position (the end when absent). Inputs: sequence, tensor, position (optional).
struct SequenceInsert : OpBase<SequenceInsert> {
  static constexpr std::string_view kName = "sequence_insert";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// The sequence without the tensor at a position (the last when absent). Inputs: sequence, position (optional).
struct SequenceErase : OpBase<SequenceErase> {
  static constexpr std::string_view kName = "sequence_erase";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// The number of tensors of a sequence, as an i64 scalar.
struct SequenceLength : OpBase<SequenceLength> {
  static constexpr std::string_view kName = "sequence_length";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
