#pragma once
#include <memory>

#include "lib/flow/diff_accuracy.h"
#include "lib/runtime/team.h"

namespace onecard {

// Sums over the elements of one output over all samples.
struct OutputTotals {
  bool floats = false;
  int64_t elements = 0;
  double equal = 0;             // elements that are the original's; of outputs of other types all there is
  double power = 0, error = 0;  // of the original's numbers, of the differences
  double sum = 0;               // of the original's numbers
  double candidate_power = 0, product = 0;
  double decibels() const;          // 10 log10(power / error): infinity when equal
  double varying_decibels() const;  // the same for the power about the mean
  double cosine() const;
};

// How far a candidate is from the original over some samples.
struct Measured {
  DiffResult accuracy;                              // per output worst and mean over the samples, and the task: as diff_accuracy gives it
  std::vector<OutputTotals> totals;                 // per output
  std::vector<std::vector<double>> relative_error;  // per sample and output: error power / power
  double seconds = 0;                               // of processor time, all the candidate's runs, planning left out
  std::vector<Tensor> first;                        // the candidate's answers at the first place; none where states are carried
};

// Holds candidates against one original on the same samples. Each sample is run once on either side, one sample a worker in memory at a time; of the
// original's answers up to kMostKeptAnswerBytes are kept, the others computed again. States are carried on, each side its own. Figures do not depend
// on the number of workers.
class AccuracyMeter {
 public:
  static constexpr int64_t kMostKeptAnswerBytes = int64_t{64} << 20;
  // `which`: indices of the samples in the order in which they are run; `carry.starts` counts their places in it. Raises usage when labels and rows
  // differ in number. `weights`: the team's, for candidates.
  AccuracyMeter(std::shared_ptr<const Team> original, Device& device, const SampleSource& samples, std::vector<size_t> which, Carry carry,
                std::optional<LabelTask> task, std::shared_ptr<SharedWeights> weights);
  ~AccuracyMeter();
  size_t size() const { return which_.size(); }
  const Carry& carry() const { return carry_; }
  // The original's answers at the first place; null where they are not kept.
  std::shared_ptr<const std::vector<Tensor>> first_answers() const { return kept_.empty() ? nullptr : kept_[0]; }
  // The candidate has the original's inputs and outputs, in order. Over all samples, or over these places of `which` (no task then; where states are
  // carried they must be the first ones, in order).
  Measured measure(const GraphPtr& candidate);
  Measured measure(const Team& candidate);
  Measured measure(const GraphPtr& candidate, const std::vector<size_t>& places);

 private:
  using Answers = std::vector<Tensor>;
  struct Row;
  void answer_all();
  // The original's answers: kept ones, or computed on `into`.
  const Answers& answer(size_t place, int worker, Answers& into);
  Row compared(const Team& candidate, size_t place, int worker, const Answers& got_before, Answers wanted_before);
  Measured measure(const Team& candidate, const std::vector<size_t>& places);
  int workers() const { return carry_.pairs.empty() ? original_->workers() : 1; }  // a run that waits for the one before cannot go on beside it

  Device& device_;
  const SampleSource& samples_;
  std::shared_ptr<SharedWeights> weights_;
  std::shared_ptr<const Team> original_;
  std::vector<size_t> which_;
  Carry carry_;
  std::optional<LabelTask> task_;
  int64_t right_ = 0, rows_ = 0;                      // of the original
  std::vector<size_t> first_row_;                     // per place
  std::vector<std::shared_ptr<const Answers>> kept_;  // per place; null: not kept
};

}  // namespace onecard
