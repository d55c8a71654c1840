#pragma once
#include <vector>

#include "lib/runtime/data/carry.h"
#include "lib/runtime/team.h"

namespace onecard {

// Which calibration samples serve what: ranges are taken from all of them.
struct SampleUse {
  std::vector<size_t> fitted;    // their rows say how weights are rounded and repaired
  std::vector<size_t> held_out;  // candidates are compared on these
};
constexpr size_t kFewHeldOut = 8;  // samples, less: hardly other ones than those that were fitted to
// `streams`: the held-out ones are the last, in a row. `apart`: they lie among the others, the first not one of them; `first_held_out`: it is. Fewer
// than eight samples serve both ends.
enum class SampleOrder : uint8_t { apart, first_held_out, streams };
// At most `most_fitted` serve the first end.
SampleUse divide_samples(size_t count, SampleOrder order, size_t most_fitted);

// What flows from one sample into the next, seen in the data: an input that equals an output of the sample before. Nothing when no input does.
Carry find_carry(Executor& original, const SampleSource& samples);

// Inputs of a sample as an executor takes them.
std::vector<const Tensor*> pointers(const Sample& sample);

// Compares candidates with the original network by their outputs on some samples; states are carried on where they flow.
class Judge {
 public:
  // `which`: indices of the samples that judge.
  Judge(const Team& original, const SampleSource& samples, std::vector<size_t> which, Carry carry);
  // Signal to error in dB, the mean over the outputs of float type that are no states (those show in what is computed from them); of each the mean
  // error of the samples beside their signal, at most 1 for one; a stream counts as one sample. At most 120. The first `most` samples count.
  double decibels(const Team& candidate, size_t most = SIZE_MAX) const;
  // The mean of those errors: one output that is ruined shows among many that are not touched.
  double error(const Team& candidate, size_t most = SIZE_MAX) const;
  // Those errors; one alone, more than any, where the outputs have other extents.
  std::vector<double> errors(const Team& candidate, size_t most = SIZE_MAX) const;

 private:
  std::vector<std::vector<Tensor>> answers(const Team& team, size_t most) const;
  const SampleSource& samples_;
  std::vector<size_t> which_;
  Carry carry_;
  std::vector<std::vector<Tensor>> wanted_;  // outputs of the original, per sample
  std::vector<bool> is_state_;               // per output
};

}  // namespace onecard
