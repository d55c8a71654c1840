#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/device/device.h"
#include "lib/report/report.h"
#include "lib/runtime/compare.h"
#include "lib/runtime/data/carry.h"

namespace onecard {

// The numbers of a Comparison, by name.
struct Metric {
  std::string_view name;
  double Comparison::*member;
  bool larger_is_worse;
};
std::span<const Metric> metrics();

// How far one tensor of the candidate is from the reference's, over all samples.
struct Difference {
  std::string name, origin;  // the candidate's value; the ONNX tensor it stands for (layers only)
  Comparison worst, mean;    // each metric for itself; argmax_agreement is the share of all rows in both
  int64_t samples = 0, rows = 0;
  void add(const Comparison& c);
};

// The share of rows whose label is among the `top` largest elements of the first output.
struct LabelTask {
  std::vector<int64_t> labels;  // one per row, in the order of the samples
  int64_t top = 1;
};
struct TaskScore {
  double reference = 0, candidate = 0;
  double drop_percent() const { return 100 * (reference - candidate); }
};

// One tensor of the candidate beside the reference's; sides of different precision are compared as the numbers that they stand for.
Comparison compare_sides(const Tensor& candidate, const Tensor& reference);
// Scores lie along the last axis; axes of extent 1 behind [rows, classes] do not count, as in [8, 1000, 1, 1].
int64_t count_classes(const Tensor& scores);
int64_t count_rows(const Tensor& scores);
// How many rows of the scores have their label, the first one's at `first_label`, among the task's `top` largest elements. Raises usage when a label
// is missing or is no class.
int64_t count_right(const Tensor& scores, const LabelTask& task, size_t first_label);

struct DiffRequest {
  GraphPtr reference, candidate;          // with the same inputs and outputs, by name
  const SampleSource* samples = nullptr;  // for the reference
  Carry carry;                            // each side is fed its own outputs
  bool layers = false;                    // compare inner tensors that both sides still have, too
  std::optional<LabelTask> task;
};
struct DiffResult {
  int64_t samples = 0;
  std::vector<Difference> outputs;
  std::vector<Difference> layers;  // in the order in which the candidate computes them
  std::optional<TaskScore> task;
};
// Runs both sides on every sample. With layers, at most kMostHeldBytes of the reference's inner tensors are held at a time. Raises model when the
// sides do not fit each other, usage when there are not as many labels as rows.
constexpr int64_t kMostHeldBytes = int64_t{256} << 20;
DiffResult diff_accuracy(const DiffRequest& request, Device& device, const std::function<void(double)>& progress);

// Thresholds; every output must keep all that are set.
struct Gates {
  std::optional<double> min_cosine, min_sqnr_db, max_abs, max_range_error, min_agreement, max_drop_percent;
};
// One check per gate and output; an output that cannot be compared fails a check of its own.
std::vector<ReportCheck> judge(const DiffResult& result, const Gates& gates);
// The first layer that breaks a gate, or that is off by more than kBisectRangeError of its range where no gate speaks of tensors; null: none.
constexpr double kBisectRangeError = 1e-3;
const Difference* first_bad_layer(const DiffResult& result, const Gates& gates);

// The result as JSON for a later run to be held against; and the checks that nothing became worse than kBaselineSlack of it. Raises io for a
// text that is no baseline.
constexpr double kBaselineSlack = 0.1;
std::string to_baseline(const DiffResult& result);
std::vector<ReportCheck> judge_against(const DiffResult& result, const std::string& baseline);

}  // namespace onecard
