#pragma once
#include "lib/ops/body_types.h"
#include "lib/ops/registry.h"

namespace onecard {

// The body applied to every position of a sequence. Inputs: the sequence, `others` more (a sequence of the same length is taken apart too, a tensor
// is the same at every position), then the captures. Each output of the body becomes a sequence.
struct SequenceMap : OpBase<SequenceMap>, HoldsBodies {
  static constexpr std::string_view kName = "sequence_map";
  GraphPtr body;
  int64_t others = 0;
  static constexpr auto kFields = std::tuple{field("body", &SequenceMap::body), field("others", &SequenceMap::others)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::vector<std::vector<TensorType>> body_inputs(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Tensor> run_bodies(Inputs in, const RunBody& run) const override;
  std::vector<GraphPtr> subgraphs() const override { return {body}; }
  std::unique_ptr<Op> with_subgraphs(std::vector<GraphPtr> g) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
