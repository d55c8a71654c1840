#pragma once
#include <string>
#include <vector>

#include "lib/runtime/data/carry.h"

namespace onecard {

// What the samples are worth, seen from their inputs alone.
struct SampleLook {
  int64_t samples = 0, looked_at = 0;  // of the samples, at most kMostLookedAt, spread evenly
  int64_t rows = 0;                    // of those looked at: a sample counts as many as its first axis is long, where the model leaves that axis open
  // How many of the n rows have nothing to do with each other, the larger of two figures, every input with its mean taken away and divided by its
  // spread: n / (1 + (n - 1) r), r the mean correlation of two rows (Kish's design effect), which is small when rows share most of what they are; and
  // (sum of l)^2 / sum of l^2, l the eigenvalues of the rows' products with each other, which is small when they differ in few ways. 1 when all are
  // the same, n when none looks like another.
  double effective = 0;
  std::vector<std::string> constant;    // samples in which no input holds more than one number
  std::vector<std::string> not_finite;  // samples that hold NaN or infinity
};
constexpr size_t kMostLookedAt = 64;
// Reads samples, `workers` at a time; inputs that are carried on from sample to sample do not count.
SampleLook look_at_samples(const Graph& graph, const SampleSource& samples, const Carry& carry, int workers);
// What is wrong with them, in sentences; none when nothing is.
std::vector<std::string> sample_warnings(const SampleLook& look);

}  // namespace onecard
