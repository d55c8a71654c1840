#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class RoiMode : uint8_t { average, max };
inline constexpr std::string_view kRoiModeNames[] = {"average", "max"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<RoiMode>{kRoiModeNames};
enum class RoiOffset : uint8_t { half_pixel, none };
inline constexpr std::string_view kRoiOffsetNames[] = {"half_pixel", "none"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<RoiOffset>{kRoiOffsetNames};

// ONNX RoiAlign of opset 16. Inputs: x[N,C,H,W], rois[R,4] (x1,y1,x2,y2), batch_indices[R]. y[R,C,height,width].
// samples: per bin and axis, 0: as many as the bin's extent. max takes the largest weighted corner, as ONNX's definition does.
struct RoiAlign : OpBase<RoiAlign> {
  static constexpr std::string_view kName = "roi_align";
  RoiMode mode = RoiMode::average;
  RoiOffset offset = RoiOffset::half_pixel;
  int64_t height = 1, width = 1, samples = 0;
  float spatial_scale = 1;
  static constexpr auto kFields = std::tuple{field("mode", &RoiAlign::mode), field("offset", &RoiAlign::offset), field("height", &RoiAlign::height), field("width", &RoiAlign::width),
      field("samples", &RoiAlign::samples), field("spatial_scale", &RoiAlign::spatial_scale)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
