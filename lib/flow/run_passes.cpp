#include "lib/flow/run_passes.h"

#include <algorithm>
#include <filesystem>

#include "lib/flow/calibrate.h"
#include "lib/flow/compression/compress.h"
#include "lib/flow/guarded_passes.h"
#include "lib/flow/magnitudes.h"
#include "lib/flow/one_thread.h"
#include "lib/flow/zero_pattern.h"
#include "lib/ir/every_node.h"

namespace onecard {

namespace {

int64_t count_nodes(const Graph& g) {
  int64_t n = 0;
  every_node(g, [&](const Graph&, const Node&) { ++n; });
  return n;
}

void need_calibration_data(const OptimizeRequest& request) {
  require(request.activations != ActivationPrecision::int8 || request.samples != nullptr, ErrorKind::usage,
          "static int8 needs samples to calibrate with: --data PATH (or --precision int8-weights, which needs none)");
}

void add_records(OptimizeResult& result, std::vector<PassRecord> records) {
  for (auto& r : records) {
    const auto it = std::find_if(result.passes.begin(), result.passes.end(), [&](const PassRecord& p) { return p.name == r.name; });
    if (it == result.passes.end()) result.passes.push_back(std::move(r));
    else it->changes += r.changes, it->ms += r.ms, it->bytes_delta += r.bytes_delta;
  }
}

// What the float pipeline makes of the original with these zeros.
FloatNetwork float_network(const OptimizeRequest& request, const PruneOptions& prune) {
  PassContext context;
  context.prune = prune;
  Graph graph = request.source->clone();
  PipelineOptions quiet;
  quiet.skip = request.pipeline.skip;
  quiet.only = request.pipeline.only;
  run_pipeline(graph, context, float_pipeline(), quiet);
  return {std::make_shared<const Graph>(std::move(graph)), std::move(context.pruned)};
}

// The options that decide the float network beside the model.
std::string float_options(const OptimizeRequest& request) {
  std::ostringstream text;
  text << request.prune.amount << (request.repair ? " repaired" : "");
  text << " pattern " << static_cast<int>(request.prune.pattern) << " score " << static_cast<int>(request.prune_score);
  for (const std::string& glob : request.prune.only) text << " only " << glob;
  for (const std::string& glob : request.prune.skip) text << " but " << glob;
  for (const PruneScope scope : request.prune_scopes) text << " " << static_cast<int>(scope);
  for (const auto* names : {&request.pipeline.skip, &request.pipeline.only})
    for (const std::string& name : *names) text << " " << name;
  return text.str();
}

// Lets recipes compete where there are samples to judge them by, and hands the passes what won. What calibration decides is read from its cache, or
// kept there. `unpruned`: what the float pipeline has made, where it prunes nothing.
void compress_with_samples(const OptimizeRequest& request, const Graph* unpruned, Device& device, const Progress& progress, PassContext& context,
                           OptimizeResult& result) {
  const bool calibrates = request.activations == ActivationPrecision::int8, rounds = request.weights == WeightPrecision::int4;
  if (!request.samples || (!calibrates && !rounds && request.prune.amount <= 0)) return;
  CompressionRequest asked;
  asked.activations = request.activations;
  asked.weights = request.weights;
  asked.weight_block = request.weight_block;
  asked.prune = request.prune;
  asked.scopes = request.prune_scopes;
  asked.score = request.prune_score;
  asked.repair = request.repair;
  asked.range = range_rule(request.calibration.value_or(CalibrationMethod::automatic));
  if (!request.carry.empty()) asked.carry = {request.carry, request.carry_start};
  asked.workers = workers_of(device);
  const OneThread one;
  const bool cached = calibrates && request.calibration_cache, known = cached && std::filesystem::exists(*request.calibration_cache);
  const auto network = [&](const PruneOptions& prune) {
    return unpruned ? FloatNetwork{std::make_shared<const Graph>(unpruned->clone()), {}} : float_network(request, prune);
  };
  const std::string key = cached ? graph_key(*network({}).graph, float_options(request)) : "";
  Calibrated before;
  if (known) {
    before = read_calibration_cache(*request.calibration_cache, key, request.calibration);
    asked.known = &before;
    result.calibration_read = true;
  }
  Compression done = compress(asked, network, device, *request.samples, progress);
  if (cached && !known)
    write_calibration_cache(*request.calibration_cache, key, request.calibration.value_or(CalibrationMethod::automatic), done.calibrated);
  context.prune.scope = done.recipe.scope;
  context.prune.norms = done.recipe.norms;
  context.prune.tables = done.recipe.tables;
  context.prune.costs = done.recipe.costs;
  result.survival = done.survival;
  result.sample_use = std::move(done.use);
  result.moved_zeros = std::move(done.zeros);
  context.found = std::move(done.found);
  context.skip_layers = std::move(done.skip_layers);
  result.recipes = std::move(done.tried);
}

// Half precision has no room for what is too large: that is seen by running.
void look_at_magnitudes(const OptimizeRequest& request, const Graph& graph, const std::vector<Tensor>* example, Device& device,
                        const Progress& progress, PassContext& context) {
  const GraphPtr shared = std::make_shared<const Graph>(graph.clone());
  const std::string whether = "whether " + std::string(info(*request.floats).name) + " holds all values was seen ";
  try {
    if (request.samples)
      context.magnitudes =
          magnitudes_of(shared, device, *request.samples, {request.carry, request.carry_start}, [&](double share) { progress("magnitudes", share); });
    else if (example) context.magnitudes = magnitudes_of(shared, device, *example);
    else context.notes.push_back(whether + "of the weights alone: give samples, --data PATH");
  } catch (const Error& e) {
    if (e.kind == ErrorKind::internal || request.samples) throw;
    context.notes.push_back(whether + "of the weights alone: " + e.what());
  }
  if (context.magnitudes.empty()) return;
  if (!request.samples) context.notes.push_back(whether + "on random numbers alone: give samples, --data PATH");
  const auto most = std::max_element(context.magnitudes.begin(), context.magnitudes.end(),
                                     [](const auto& a, const auto& b) { return a.second.largest < b.second.largest; });
  std::ostringstream text;
  text << "the largest |x| seen: " << most->second.largest << " in '" << most->first << "'";
  context.details.push_back(text.str());
}

}  // namespace

Graph run_passes(const OptimizeRequest& request, const std::vector<Tensor>* example, Device& device, const Progress& progress,
                 OptimizeResult& result) {
  need_calibration_data(request);
  result.nodes_before = count_nodes(*request.source);
  result.weight_bytes_source = constant_bytes(*request.source);
  PassContext context;
  context.prune = request.prune;
  context.weights = request.weights;
  context.weight_block = request.weight_block;
  context.activations = request.activations;
  context.floats = request.floats;
  context.has_read = request.has_read;
  std::unique_ptr<AccuracyMeter> meter;
  if (request.guard) {
    progress("original answers", 0);
    meter = guard_meter(request, device);  // before the long work: labels that do not fit are told at once
  }
  Graph graph = request.source->clone();
  PipelineResult done;
  const auto to_float = [&] {
    progress("passes", 0);
    done = run_pipeline(graph, context, float_pipeline(), request.pipeline);
    add_records(result, std::move(done.records));
  };
  const bool prunes = request.prune.amount > 0;  // which zeros is decided by what they cost: then compression runs the pipeline by itself first
  if (!prunes) to_float();
  if (!done.stopped) compress_with_samples(request, prunes ? nullptr : &graph, device, progress, context, result);
  if (prunes) to_float();
  result.two_of_four = weights_in_two_of_four(graph, request.has_read);
  if (!done.stopped && request.floats) look_at_magnitudes(request, graph, example, device, progress, context);
  if (meter && !done.stopped) {
    guard_passes(request, device, graph, request.prune.amount > 0 ? float_network(request, {}).graph : nullptr, *meter, progress, context, result);
    meter.reset();
  }
  if (!done.stopped) {
    PipelineOptions rest = request.pipeline;
    if (rest.stop_after) rest.stop_after->occurrence -= done.runs_of_stop;
    const int64_t before = done.runs_of_stop;
    done = run_pipeline(graph, context, quantize_pipeline(), rest);
    done.runs_of_stop += before;
    add_records(result, std::move(done.records));
  }
  const auto& stop = request.pipeline.stop_after;
  require(!stop || done.stopped, ErrorKind::usage, "--stop-after ", stop ? stop->pass : "", ":", stop ? stop->occurrence : 0,
          " is never reached: the pass ran ", done.runs_of_stop, done.runs_of_stop == 1 ? " time" : " times");
  if (request.prune.amount > 0) result.pruned = context.pruned;
  result.notes.insert(result.notes.end(), context.notes.begin(), context.notes.end());
  result.details = std::move(context.details);
  for (const auto& [layer, zeros] : result.moved_zeros)
    if (zeros > 0) result.details.push_back("moved to where they cost least: " + std::to_string(zeros) + " zeros in " + layer);
  result.nodes_after = count_nodes(graph);
  return graph;
}

}  // namespace onecard
