#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class ResizeMode : uint8_t { nearest, linear, cubic };
inline constexpr std::string_view kResizeModeNames[] = {"nearest", "linear", "cubic"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<ResizeMode>{kResizeModeNames};
enum class Coordinates : uint8_t { half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_crop_and_resize, tf_half_pixel_for_nn };
inline constexpr std::string_view kCoordinatesNames[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Coordinates>{kCoordinatesNames};
enum class NearestMode : uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };
inline constexpr std::string_view kNearestModeNames[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<NearestMode>{kNearestModeNames};
enum class AspectRatio : uint8_t { stretch, not_larger, not_smaller };
inline constexpr std::string_view kAspectRatioNames[] = {"stretch", "not_larger", "not_smaller"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<AspectRatio>{kAspectRatioNames};
enum class Antialias : uint8_t { no, yes };
inline constexpr std::string_view kAntialiasNames[] = {"no", "yes"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Antialias>{kAntialiasNames};
enum class Outside : uint8_t { edge, exclude };
inline constexpr std::string_view kOutsideNames[] = {"edge", "exclude"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Outside>{kOutsideNames};

// ONNX Resize of opset 19. Inputs: x, roi (tf_crop_and_resize only), scales, sizes: exactly one of the last two. axes empty: all.
// A quantized or non-float x keeps its type under nearest; linear and cubic round integers half to even.
struct Resize : OpBase<Resize> {
  static constexpr std::string_view kName = "resize";
  ResizeMode mode = ResizeMode::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  NearestMode nearest_mode = NearestMode::round_prefer_floor;
  AspectRatio aspect_ratio = AspectRatio::stretch;
  Antialias antialias = Antialias::no;
  Outside outside = Outside::edge;
  std::vector<int64_t> axes;
  float cubic_a = -0.75f, extrapolation = 0;
  static constexpr auto kFields = std::tuple{field("mode", &Resize::mode), field("coordinates", &Resize::coordinates), field("nearest_mode", &Resize::nearest_mode),
      field("aspect_ratio", &Resize::aspect_ratio), field("antialias", &Resize::antialias), field("outside", &Resize::outside), field("axes", &Resize::axes),
      field("cubic_a", &Resize::cubic_a), field("extrapolation", &Resize::extrapolation)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;       // Resize, Upsample
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// How one axis is resampled: element o of the result is the sum of weights[o * taps + t] * x[index[o * taps + t]], or the extrapolation
// value where `outside` says so.
struct ResizeAxis {
  int64_t in = 0, out = 0, taps = 1;
  std::vector<int64_t> index;
  std::vector<double> weights;
  std::vector<uint8_t> outside;                       // empty: nowhere
  bool is_identity() const;
};
// One per axis of x; `roi`, `scales`, `sizes` as the inputs hold them, empty when absent.
std::vector<ResizeAxis> resize_axes(const Resize& op, const Dims& x, std::span<const double> roi, std::span<const double> scales, std::span<const int64_t> sizes);

}  // namespace onecard
