#include "lib/flow/compression/workbench.h"

#include <algorithm>

#include "lib/flow/compression/work.h"
#include "lib/runtime/weights.h"
#include "passes/pipeline.h"

namespace onecard {

namespace {

// Where nothing is fitted, the first sample is best among those that are measured: the self-check wants the same answers.
SampleOrder order_of(const CompressionRequest& asked, const Carry& carry) {
  if (!carry.pairs.empty()) return SampleOrder::streams;
  return asked.range && !asked.competes() ? SampleOrder::first_held_out : SampleOrder::apart;
}

}  // namespace

Workbench::Workbench(const CompressionRequest& asked, const FloatPipeline& makes, Device& on, const SampleSource& given,
                     const CompressionProgress& tells)
    : request(asked),
      pipeline(makes),
      device(on),
      samples(given),
      progress(tells),
      workers(asked.workers),
      weights(std::make_shared<SharedWeights>(on)),
      dense(makes({}).graph),
      dense_team(dense, on, workers, weights),
      carry(asked.carry.pairs.empty() ? find_carry(dense_team.member(0), given) : asked.carry),
      use(divide_samples(given.size(), order_of(asked, carry), samples_to_fit(work_of_run(dense_team.member(0), given, 0)))) {
  if (!asked.competes()) return;
  std::vector<size_t> judging = use.held_out;
  const bool all =
      carry.pairs.empty() && use.held_out.size() < kFewHeldOut && asked.activations == ActivationPrecision::int8 && asked.prune.amount == 0;
  for (const size_t i : use.fitted)
    if (all && std::count(judging.begin(), judging.end(), i) == 0) judging.push_back(i);
  judge.emplace(dense_team, given, std::move(judging), carry);
}

GraphPtr Workbench::built(const GraphPtr& base, const FoundLayers& found) const {
  Graph graph = base->clone();
  PassContext context;
  context.found = found;
  context.activations = request.activations;
  PipelineOptions options;
  options.skip = {"fuse_quantize", "eliminate_quantize_pairs"};
  run_pipeline(graph, context, quantize_pipeline(), options);
  return std::make_shared<const Graph>(std::move(graph));
}

GraphPtr Workbench::shipped(const GraphPtr& base, const FoundLayers& found, const std::set<std::string>& skip) const {
  Graph graph = base->clone();
  PassContext context;
  context.found = found;
  context.skip_layers.assign(skip.begin(), skip.end());
  context.weights = request.weights == WeightPrecision::int4 ? WeightPrecision::int4 : WeightPrecision::int8;
  context.weight_block = request.weight_block;
  context.activations = request.activations;
  run_pipeline(graph, context, quantize_pipeline());
  return std::make_shared<const Graph>(std::move(graph));
}

Networks Workbench::networks(const GraphPtr& base) const {
  return {dense, base, &dense_team, weights, [base, this](const FoundLayers& found) { return built(base, found); }};
}

double Workbench::decibels(const GraphPtr& candidate) const {
  const double db = judge->decibels(Team(candidate, device, workers, weights), use.held_out.size());
  weights->store.drop_unused();
  return db;
}

double Workbench::decibels_of_all(const GraphPtr& candidate) const {
  const double db = judge->decibels(Team(candidate, device, workers, weights));
  weights->store.drop_unused();
  return db;
}

double Workbench::error_beside_others(const GraphPtr& candidate, size_t most) const {
  return judge->error(Team(candidate, device, 1, weights), std::min(most, use.held_out.size()));
}

std::vector<double> Workbench::errors_beside_others(const GraphPtr& candidate, size_t most) const {
  return judge->errors(Team(candidate, device, 1, weights), std::min(most, use.held_out.size()));
}

double Workbench::decibels_beside_others(const GraphPtr& candidate, size_t most) const {
  return judge->decibels(Team(candidate, device, 1, weights), std::min(most, use.held_out.size()));
}

}  // namespace onecard
