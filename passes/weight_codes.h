#pragma once
#include <compare>
#include <optional>

#include "passes/pass.h"
#include "passes/weights.h"

namespace onecard {

// How the integers of a weight share scales: one, one per index of `axis`, or one per `block` indices of it at every place of the other axes.
struct CodeForm {
  DType dtype = DType::i8;  // i8: symmetric; i4: symmetric or, where that is better, u4 with zero points
  int64_t axis = -1, block = 0;
  auto operator<=>(const CodeForm&) const = default;
};
// What a weight becomes: the type of the integers and what they mean.
struct CodeChoice {
  DType dtype = DType::i8;
  QuantizationPtr quant;
  double error = 0;  // the squares of what rounding changes over the squares of the weights, each times its importance
};
// Scales for the f32 weight w: largest |w| / 127 for bytes; for four bits those, rounded to f16, whose clip costs least. `importance`, of w's
// extents or null, says how much the square of each element's error counts. Nothing when w holds infinities or NaN.
std::optional<CodeChoice> choose_codes(const Tensor& w, const CodeForm& form, const Tensor* importance = nullptr);

// What is asked of a weight's form.
struct CodeRequest {
  WeightPrecision weights = WeightPrecision::int8;
  int64_t block = 32;  // of four bits
  enum class Inputs : uint8_t { floats, integers /* to be multiplied as integers: one scale per channel */ } inputs = Inputs::floats;
};
// The form for a weight where it stands. Bytes: one scale per channel, or per block of 128, 64 or 32 along the sums where that is not enough. Four
// bits: blocks along the sums; weights that are few, or summed over few, become bytes.
std::optional<CodeChoice> choose_codes(const Tensor& w, const WeightSite& site, const CodeRequest& request, const Tensor* importance = nullptr);

}  // namespace onecard
