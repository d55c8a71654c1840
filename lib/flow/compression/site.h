#pragma once
#include <map>
#include <string>
#include <vector>

#include "lib/flow/compression/histogram.h"
#include "lib/flow/compression/rows.h"
#include "passes/pass.h"

namespace onecard {

// What calibration saw in one value that layers multiply, per channel (axis 1 of what is convolved, else the last).
struct SiteSeen {
  float min = 0, max = 0;
  std::vector<float> largest;  // |x| per channel, over everything
  struct Part {
    int64_t kept = 0;
    std::vector<float> values;  // [channels, kept]
  };
  std::vector<Part> parts;             // some of the places, a part for each tensor seen
  std::optional<Histogram> histogram;  // of |x| over everything, where it is there from the start
  int64_t channels() const { return static_cast<int64_t>(largest.size()); }
  int64_t kept() const;
};
// Adds one tensor, of which at most `most` places are kept; NaN and infinity count as nothing.
void see(SiteSeen& seen, const Layer& reader, const Tensor& x, int64_t most, double phase);
// Adds what was seen elsewhere in the same value.
void merge(SiteSeen& seen, SiteSeen more);

// How a site's quantization is chosen. The last three cut |x| off where its histogram says, whatever the weights are.
enum class RangeRule : uint8_t {
  whole /* smallest to largest */,
  least_error /* the clip with the least expected error of the sums */,
  entropy /* least divergence */,
  percentile /* 99.99 */,
  mse /* least mean square of the rounding and clipping of x */
};
bool needs_histogram(RangeRule rule);
enum class ChannelRule : uint8_t { one_scale, balanced /* a multiplier per channel, taken back by the weights */ };

// The quantization of one site for the weights of its readers (each the original's, in f32). Nothing when the site was never seen or is all 0.
std::optional<SiteQuantization> choose_quantization(const SiteSeen& seen, const std::vector<const Layer*>& readers,
                                                    const std::vector<ConstTensor>& weights, RangeRule range, ChannelRule channels);

}  // namespace onecard
