#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class WindowFn : uint8_t { hann, hamming, blackman };
inline constexpr std::string_view kWindowFnNames[] = {"hann", "hamming", "blackman"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<WindowFn>{kWindowFnNames};
enum class Periodic : uint8_t { yes, no };
inline constexpr std::string_view kPeriodicNames[] = {"yes", "no"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Periodic>{kPeriodicNames};

// ONNX HannWindow, HammingWindow, BlackmanWindow. Input: size (integer scalar); output: that many weights of `dtype`.
struct WindowFunction : OpBase<WindowFunction> {
  static constexpr std::string_view kName = "window_function";
  WindowFn fn = WindowFn::hann;
  Periodic periodic = Periodic::yes;
  DType dtype = DType::f32;
  static constexpr auto kFields = std::tuple{field("fn", &WindowFunction::fn), field("periodic", &WindowFunction::periodic), field("dtype", &WindowFunction::dtype)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
