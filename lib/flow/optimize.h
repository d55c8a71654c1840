#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "lib/bundle/bundle.h"
#include "lib/device/device.h"
#include "lib/flow/calibrate.h"
#include "lib/flow/guard.h"
#include "lib/flow/held_out.h"
#include "lib/flow/run_times.h"
#include "lib/plan/plan.h"
#include "lib/runtime/data/samples.h"
#include "passes/pipeline.h"

namespace onecard {

// What the compressed network must keep of the original on the samples, else layers are left as they were.
struct GuardRequest {
  Gates gates;
  std::optional<LabelTask> task;  // with gates.max_drop_percent
};

// What `optimize` is asked to do, beyond the model itself.
struct OptimizeRequest {
  GraphPtr source;          // as imported
  std::string source_name;  // of the file, without folders
  std::string source_hash;  // of its bytes
  int64_t source_bytes = 0;
  std::vector<std::shared_ptr<const MappedFile>> source_files;  // that hold its weights; their pages are let go of as the work streams over them
  Path out;
  WeightPrecision weights = WeightPrecision::keep;
  int64_t weight_block = 32;                          // weights of four bits that share a scale
  ActivationPrecision activations = ActivationPrecision::keep;
  std::optional<DType> floats;  // f16 or bf16: what f32 becomes where its numbers allow it
  PruneOptions prune;
  std::vector<PruneScope> prune_scopes{PruneScope::tensor};  // those that compete when there are samples
  PruneScore prune_score = PruneScore::automatic;
  bool repair = true;                                        // of what pruning leaves, by least squares, when there are samples
  std::optional<CalibrationMethod> calibration;              // nothing: recipes compete, or what the cache has
  std::function<void(const Tensor&)> has_read;  // told after a large constant was read
  std::string options_text;                                  // the options that decide the bytes, for the manifest
  const SampleSource* samples = nullptr;                     // needed with int8 activations
  std::vector<std::pair<std::string, std::string>> carry;    // OUT, IN
  std::vector<size_t> carry_start{0};
  std::optional<Path> calibration_cache;
  std::optional<GuardRequest> guard;  // needs samples
  std::function<void(const GuardResult&)> guard_failed;  // told what was tried where nothing holds, before that ends the work
  SymbolValues dims;                  // sizes that the memory figures hold for
  std::map<std::string, Dims> shapes;
  std::optional<int64_t> memory_limit_bytes;
  bool verify_passes = false;
  PipelineOptions pipeline;
};

// How far the bundle's answer to its self-check sample is from the original model's, per output.
struct OutputDistance {
  std::string name;
  double range_error = 0, cosine = 1;
};

struct OptimizeResult {
  BundleSizes sizes;
  int64_t source_bytes = 0, weight_bytes_source = 0;
  int64_t nodes_before = 0, nodes_after = 0;
  std::vector<PassRecord> passes;
  std::vector<RecipeRecord> recipes;        // what compression tried
  ZeroCounts moved_zeros;                   // by layer, where zeros were chosen anew; what the guard raised is not among them
  std::optional<GuardResult> guard;         // with its price list
  std::optional<SampleUse> sample_use;      // by compression
  bool calibration_read = false;            // from the cache
  std::optional<HeldOut> held_out;          // of lossy work with samples
  std::optional<RunTimes> run_times;        // of lossy work, on the self-check's input
  std::vector<std::string> warnings;        // what may be wrong, and what to do about it
  std::optional<PruneSummary> pruned;       // what pruning left, where it was asked for
  int64_t two_of_four = 0;                  // weights in the 2:4 pattern, whether they came so or were pruned so
  int64_t steps_without_zeros = 0;          // of the plan: they read weights packed without their zeros
  std::optional<Survival> survival;         // what it costs, where there were samples
  std::vector<std::string> notes, details;  // details: what --verbose and a report list besides
  MemorySummary memory;
  std::optional<int64_t> memory_limit_bytes;
  std::vector<OutputDistance> self_check;                  // empty: no sample could be run
  std::string self_check_skipped;                          // why, when it is empty
  std::string self_check_input;                            // what these distances are of: "seed 1" or the sample's name
  std::string self_check_stored;                           // what the file holds: the same, or a seed where the sample is large
  std::vector<std::pair<std::string, int64_t>> encodings;  // stored bytes by encoding
};

// Called as the work goes on: what is being done and how far it is, 0 to 1.
using Progress = std::function<void(const std::string& what, double share)>;

// Runs the pipeline, plans for `device`, and writes the bundle. Nothing is written when anything raises.
OptimizeResult optimize(OptimizeRequest request, Device& device, const Progress& progress);

}  // namespace onecard
