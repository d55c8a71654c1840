#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class Distribution : uint8_t { uniform, normal, bernoulli };
inline constexpr std::string_view kDistributionNames[] = {"uniform", "normal", "bernoulli"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<Distribution>{kDistributionNames};
// Random numbers with the extents of x: uniform in [low, high), normal of mean `low` and deviation `high`, or 1 with the probability that x gives
// (bernoulli). They follow from the seed alone, by the generator of ONNX's reference implementation (numpy's RandomState): a run can be repeated.
struct RandomLike : OpBase<RandomLike> {
  static constexpr std::string_view kName = "random_like";
  Distribution distribution = Distribution::uniform;
  DType dtype = DType::f32;
  float low = 0.0f;
  float high = 1.0f;
  int64_t seed = 0;
  static constexpr auto kFields = std::tuple{field("distribution", &RandomLike::distribution), field("dtype", &RandomLike::dtype), field("low", &RandomLike::low), field("high", &RandomLike::high), field("seed", &RandomLike::seed)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  bool is_pure() const override { return false; }
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// samples[b, i]: a class drawn by the unnormalized log probabilities x[b, :]. Gives i32 or i64 [batch, samples].
struct Multinomial : OpBase<Multinomial> {
  static constexpr std::string_view kName = "multinomial";
  DType dtype = DType::i32;
  int64_t samples = 1;
  int64_t seed = 0;
  static constexpr auto kFields = std::tuple{field("dtype", &Multinomial::dtype), field("samples", &Multinomial::samples), field("seed", &Multinomial::seed)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  bool is_pure() const override { return false; }
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// A seed of 24 bits, exact in float, for a node that gives none: nodes differ and runs repeat.
int64_t seed_from_name(std::string_view name);

}  // namespace onecard
