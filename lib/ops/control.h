#pragma once
#include "lib/ops/body_types.h"
#include "lib/ops/registry.h"

namespace onecard {

// Inputs: condition (one boolean), then the captures; both branches take the same captures, in this order, as their inputs.
struct If : OpBase<If>, HoldsBodies {
  static constexpr std::string_view kName = "if";
  GraphPtr then_branch, else_branch;
  static constexpr auto kFields = std::tuple{field("then_branch", &If::then_branch), field("else_branch", &If::else_branch)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::vector<std::vector<TensorType>> body_inputs(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;  // run_bodies by run_reference
  std::vector<Tensor> run_bodies(Inputs in, const RunBody& run) const override;
  std::vector<GraphPtr> subgraphs() const override { return {then_branch, else_branch}; }
  std::unique_ptr<Op> with_subgraphs(std::vector<GraphPtr> g) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Inputs: trip count M (optional i64), condition (optional boolean), `carried` loop values, then the captures. The body takes iteration
// number, condition, carried values, captures, and gives condition, carried values, scan outputs. Outputs: carried values, stacked scans.
struct Loop : OpBase<Loop>, HoldsBodies {
  static constexpr std::string_view kName = "loop";
  GraphPtr body;
  int64_t carried = 0;
  static constexpr auto kFields = std::tuple{field("body", &Loop::body), field("carried", &Loop::carried)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::vector<std::vector<TensorType>> body_inputs(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;  // run_bodies by run_reference
  std::vector<Tensor> run_bodies(Inputs in, const RunBody& run) const override;
  std::vector<GraphPtr> subgraphs() const override { return {body}; }
  std::unique_ptr<Op> with_subgraphs(std::vector<GraphPtr> g) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Inputs: `states` initial states, `scans` scanned inputs, then the captures; ONNX Scan of opset 9 on. directions: 1 is reverse.
struct Scan : OpBase<Scan>, HoldsBodies {
  static constexpr std::string_view kName = "scan";
  GraphPtr body;
  int64_t states = 0, scans = 0;
  std::vector<int64_t> input_axes, input_directions, output_axes, output_directions;
  static constexpr auto kFields = std::tuple{field("body", &Scan::body), field("states", &Scan::states), field("scans", &Scan::scans), field("input_axes", &Scan::input_axes),
      field("input_directions", &Scan::input_directions), field("output_axes", &Scan::output_axes), field("output_directions", &Scan::output_directions)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::vector<std::vector<TensorType>> body_inputs(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;  // run_bodies by run_reference
  std::vector<Tensor> run_bodies(Inputs in, const RunBody& run) const override;
  std::vector<GraphPtr> subgraphs() const override { return {body}; }
  std::unique_ptr<Op> with_subgraphs(std::vector<GraphPtr> g) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
