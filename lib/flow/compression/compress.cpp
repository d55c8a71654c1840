#include "lib/flow/compression/compress.h"

#include "lib/flow/compression/integer_recipes.h"
#include "lib/flow/compression/prune_recipes.h"
#include "passes/prunable.h"

namespace onecard {

namespace {

FoundLayers merged(FoundLayers under, const FoundLayers& over) {
  for (const auto& [name, layer] : over) {
    FoundLayer& to = under[name];
    if (layer.weight) to.weight = layer.weight;
    if (layer.bias) to.bias = layer.bias;
    if (layer.input) to.input = layer.input;
  }
  return under;
}

ZeroCounts zeros_of(const FoundLayers& found) {
  ZeroCounts zeros;
  for (const auto& [name, layer] : found) {
    if (layer.weight) zeros[name] = zeros_in(*layer.weight);
  }
  return zeros;
}

}  // namespace

Compression compress(const CompressionRequest& request, const FloatPipeline& pipeline, Device& device, const SampleSource& samples,
                     const CompressionProgress& progress) {
  const Workbench bench(request, pipeline, device, samples, progress);
  Compression result;
  result.use = bench.use;
  GraphPtr base = bench.dense;
  if (request.prune.amount > 0) {
    FoundPruning pruning = find_pruning(bench, result.tried);
    result.recipe = std::move(pruning.recipe);
    result.survival = pruning.survival;
    if (result.recipe.zeros) result.zeros = zeros_of(pruning.found);
    result.found = std::move(pruning.found);
    base = std::move(pruning.graph);
  }
  const bool calibrates = request.activations == ActivationPrecision::int8;
  if (!calibrates && request.weights != WeightPrecision::int4) return result;
  FoundIntegers integers = calibrates ? find_integers(bench, base, result.tried) : find_four_bits(bench, base, result.tried);
  result.found = merged(std::move(result.found), integers.found);
  result.skip_layers.assign(integers.calibrated.skip.begin(), integers.calibrated.skip.end());
  result.calibrated = std::move(integers.calibrated);
  return result;
}

}  // namespace onecard
