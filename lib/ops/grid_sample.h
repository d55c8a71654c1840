#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class SampleMode : uint8_t { linear, nearest, cubic };
inline constexpr std::string_view kSampleModeNames[] = {"linear", "nearest", "cubic"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<SampleMode>{kSampleModeNames};
enum class SamplePadding : uint8_t { zeros, border, reflection };
inline constexpr std::string_view kSamplePaddingNames[] = {"zeros", "border", "reflection"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<SamplePadding>{kSamplePaddingNames};
// Whether -1 and 1 stand for the centres of the outermost elements or for their outer edges.
enum class Corners : uint8_t { edges, centres };
inline constexpr std::string_view kCornersNames[] = {"edges", "centres"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Corners>{kCornersNames};

// ONNX GridSample: y[n,c,o...] = x[n,c] read at grid[n,o...,:], whose numbers in [-1,1] name the axes last to first. Inputs: x[N,C,S...],
// grid[N,O...,spatial]; any number of spatial axes.
struct GridSample : OpBase<GridSample> {
  static constexpr std::string_view kName = "grid_sample";
  SampleMode mode = SampleMode::linear;
  SamplePadding padding = SamplePadding::zeros;
  Corners corners = Corners::edges;
  static constexpr auto kFields = std::tuple{field("mode", &GridSample::mode), field("padding", &GridSample::padding), field("corners", &GridSample::corners)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
