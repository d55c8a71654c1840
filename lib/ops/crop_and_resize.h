#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class CropMode : uint8_t { bilinear, nearest };
inline constexpr std::string_view kCropModeNames[] = {"bilinear", "nearest"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<CropMode>{kCropModeNames};

// Crops of images resized to one size, corners on corners: y[r,c,i,j] is x[batch[r],c] at the point of box r = (y1, x1, y2, x2), in extents of the
// image less one, that (i, j) falls on; `outside` where that is not in the image. Inputs: x[N,C,H,W], boxes[R,4], batch[R], size (two integers).
struct CropAndResize : OpBase<CropAndResize> {
  static constexpr std::string_view kName = "crop_and_resize";
  CropMode mode = CropMode::bilinear;
  float outside = 0;
  static constexpr auto kFields = std::tuple{field("mode", &CropAndResize::mode), field("outside", &CropAndResize::outside)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  static const std::span<const OnnxName> kOnnx;  // com.microsoft's
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
