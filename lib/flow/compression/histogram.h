#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace onecard {

// How often magnitudes were seen: kBins bins of equal width over a range that is a power of two. When something larger comes, neighbours are added
// and the range doubles, so that one pass and this much memory are enough whatever comes. Exact zeros are counted apart; NaN and infinity are left
// out. The same values give the same counts in any order and however they are divided among histograms that are added later.
class Histogram {
 public:
  static constexpr size_t kBins = 4096;
  void add(std::span<const float> values);
  void add(Histogram more);
  bool empty() const { return total_ == 0; }
  int64_t total() const { return total_; }  // of what is not 0
  int64_t zeros() const { return zeros_; }
  float largest() const { return largest_; }
  double width() const;  // of a bin
  std::span<const int64_t> counts() const { return counts_; }

 private:
  void widen(int exponent);
  std::vector<int64_t> counts_;
  int exponent_ = 0;  // the range is 2^exponent
  int64_t total_ = 0, zeros_ = 0;
  float largest_ = 0;
};

// Where |x| is cut off so that little is lost when what is below is stored in `levels` steps; never above the largest. Each needs a histogram that is
// not empty.

// The cut with the least Kullback-Leibler divergence between the magnitudes as they are, what is cut off in the last bin, and as they are
// after rounding to the levels: S. Migacz, "8-bit Inference with TensorRT", GTC 2017. Zeros do not count: every scale keeps them.
float entropy_cut(const Histogram& seen, int64_t levels);
// Below it lie `percent` of all magnitudes, zeros too.
float percentile_cut(const Histogram& seen, double percent);
// The cut with the least mean square of the difference between x and x rounded and cut off.
float mse_cut(const Histogram& seen, int64_t levels);

}  // namespace onecard
