#pragma once
#include <string>
#include <vector>

#include "lib/ir/tensor.h"

namespace onecard {

// How far one tensor is from its reference. Elements that are not finite on both sides alike count as equal; a shape, type or pattern of
// NaN and infinity that differs makes `comparable` false and every distance infinite.
struct Comparison {
  bool comparable = true;
  std::string why_not;
  double max_abs = 0, mean_abs = 0;
  double range_error = 0;                             // max_abs / max(max - min, max |reference|)
  double cosine = 1;
  double sqnr_db = 0;                                 // 10 log10(sum ref^2 / sum diff^2); infinity when equal
  double psnr_db = 0;                                 // 20 log10(range / rms difference)
  double kl = 0;                                      // mean over rows of KL(softmax(ref) || softmax(got)) along the last axis
  double argmax_agreement = 1;                        // share of rows (last axis) with the same largest element
  int64_t rows = 0;                                   // that this share and kl are of
};
Comparison compare(const Tensor& got, const Tensor& reference);

// numpy.allclose's rule elementwise: |got - want| <= atol + rtol |want|, NaN equals NaN; exact for integers, booleans and strings.
bool all_close(const Tensor& got, const Tensor& want, double rtol, double atol, std::string& why_not);

}  // namespace onecard
