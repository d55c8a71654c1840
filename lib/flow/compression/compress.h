#pragma once
#include "lib/flow/compression/refine.h"
#include "lib/flow/compression/survival.h"

namespace onecard {

// One way of compressing that was tried, and what it was worth.
struct RecipeRecord {
  std::string stage, name;           // "pruning", "survival" (smaller amounts), "int8" or "int4"
  std::optional<double> decibels{};  // of the outputs on the samples that judge, against the original; nothing where no other recipe competed
  int64_t float_layers = 0;
  bool chosen = false;
};

// What calibration decides about the integers, beside what it does to the weights: enough to do the same again with the same samples.
struct Calibrated {
  std::string recipe;
  Refinement how;
  std::map<std::string, SiteQuantization> sites;  // by layer
  std::set<std::string> skip;                     // layers that stay in float
};

// Which elements go: the smallest |w|, the smallest |w| times the norm of their input, or what does better.
enum class PruneScore : uint8_t { l1, wanda, automatic };

// One way to prune.
struct PruneRecipe {
  PruneScope scope = PruneScope::tensor;
  std::shared_ptr<const InputNorms> norms;    // null: by |w| alone
  std::shared_ptr<const PruneCosts> costs{};  // with one threshold; null: all weights alike
  PruneTables tables = PruneTables::leave;    // they compete last
  std::optional<Weights> repair{};            // nothing: as the zeros leave the others; keep: means matched alone
  std::shared_ptr<const ZeroCounts> zeros{};  // see Refinement
};

// What `compress` is asked for.
struct CompressionRequest {
  ActivationPrecision activations = ActivationPrecision::keep;
  WeightPrecision weights = WeightPrecision::keep;  // int4: their rounding competes; int8 comes with activations
  int64_t weight_block = 32;
  PruneOptions prune;
  std::vector<PruneScope> scopes;  // to be tried
  PruneScore score = PruneScore::automatic;
  bool repair = true;
  std::optional<RangeRule> range;     // int8 by this rule alone; nothing: recipes compete
  const Calibrated* known = nullptr;  // int8 as it was found before: nothing is looked for
  Carry carry;                        // empty: looked for in the data
  int workers = 1;                    // samples, or layers, that are worked on at the same time; what is found does not depend on it
  // Whether there is more than one way to do it.
  bool competes() const { return prune.amount > 0 || activations != ActivationPrecision::int8 || (!range && !known); }
};

// What was decided, to be handed to the passes.
struct Compression {
  SampleUse use;  // which samples served what
  PruneRecipe recipe;
  std::optional<Survival> survival;  // of pruning
  ZeroCounts zeros;                  // of each layer, where they were chosen anew: other ones than pruning by magnitude left
  FoundLayers found;
  std::vector<std::string> skip_layers;  // stay in float
  Calibrated calibrated;                 // with int8 activations
  std::vector<RecipeRecord> tried;
};

// The network after the float pipeline with these pruning options, and what these did. May be called from several threads.
struct FloatNetwork {
  GraphPtr graph;
  PruneSummary pruned;
};
using FloatPipeline = std::function<FloatNetwork(const PruneOptions& prune)>;
using CompressionProgress = std::function<void(const std::string& what, double share)>;

// Lets whole recipes compete on samples and returns the best one: allocations of zeros, each repaired by least squares; ranges,
// multipliers, rounding, matched means; and a few layers in float where that gains much. Runs on `device`, one sample a worker in memory at a time.
Compression compress(const CompressionRequest& request, const FloatPipeline& pipeline, Device& device, const SampleSource& samples,
                     const CompressionProgress& progress);

}  // namespace onecard
