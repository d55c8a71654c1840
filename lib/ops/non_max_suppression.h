#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class BoxForm : uint8_t { corners, centre };
inline constexpr std::string_view kBoxFormNames[] = {"corners", "centre"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<BoxForm>{kBoxFormNames};

// ONNX NonMaxSuppression. Inputs: boxes[B,N,4], scores[B,C,N], max_output_boxes_per_class, iou_threshold, score_threshold (optional scalars).
// y[?,3] i64: batch, class, box of every box kept, best score first within a class. Boxes are two opposite corners y,x,y,x or x,y centre and width, height.
struct NonMaxSuppression : OpBase<NonMaxSuppression> {
  static constexpr std::string_view kName = "non_max_suppression";
  BoxForm box_form = BoxForm::corners;
  static constexpr auto kFields = std::tuple{field("box_form", &NonMaxSuppression::box_form)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
