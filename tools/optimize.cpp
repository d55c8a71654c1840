#include "lib/flow/optimize.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include <unistd.h>
#include "lib/flow/load_model.h"
#include "lib/ir/text.h"
#include "lib/onnx/import.h"
#include "lib/report/report.h"

#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/optimize_options.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;

GraphPtr import_source(const OptimizeOptions& o, OptimizeRequest& request) {
  require(!names_bundle(o.model), ErrorKind::usage, "'", o.model, "' is a bundle already; optimize takes an ONNX model");
  const FileHash hash = hash_file(o.model);
  request.source_hash = hash.hex;
  ImportOptions options;
  options.shapes = request.shapes;
  options.data_files = &request.source_files;
  options.allowed_external_roots = external_roots_of(o.source);
  auto graph = std::make_shared<const Graph>(import_onnx(o.model, options));
  request.source_bytes = hash.bytes;
  for (const auto& file : request.source_files) request.source_bytes += static_cast<int64_t>(file->bytes().size());
  return graph;
}

// Inputs and outputs alone: what samples are read for, without holding on to the weights.
Graph interface_of(const Graph& graph) {
  Graph interface;
  for (const Value* v : graph.inputs) interface.add_input(v->name, v->type);
  for (const Value* v : graph.outputs) {
    Value* same = interface.find(v->name);
    if (!same) {
      same = interface.add_input(v->name, v->type);
      interface.inputs.pop_back();
    }
    interface.outputs.push_back(same);
  }
  return interface;
}

// Keeps the graph on which a pass failed; where it was put.
std::string keep_reproducer(const std::string& text) {
  const Path path = std::filesystem::temp_directory_path() / ("onecard-reproducer-" + std::to_string(::getpid()) + ".ir");
  std::ofstream(path) << text;
  return path.string();
}

// The figures hold for the first sample's sizes where nobody gave others.
void add_sample_shapes(OptimizeRequest& request) {
  if (!request.dims.empty()) return;
  const Sample first = request.samples->read(0);
  for (size_t i = 0; i < first.inputs.size(); ++i) {
    const Value& input = *request.source->inputs[i];
    const Tensor& t = first.inputs[i];
    if (t.has_value() && t.type().container == Container::tensor && input.type.container == Container::tensor && input.type.shape.has_rank())
      request.shapes.emplace(input.name, t.dims());
  }
}

ordered_json to_json(const OptimizeResult& r, double seconds) {
  ordered_json j = {{"source_bytes", r.source_bytes},
                    {"bundle_bytes", r.sizes.file_bytes},
                    {"weight_bytes_source", r.weight_bytes_source},
                    {"weight_bytes", r.sizes.weight_bytes},
                    {"weight_bytes_stored", r.sizes.weight_bytes_stored},
                    {"nodes_before", r.nodes_before},
                    {"nodes_after", r.nodes_after},
                    {"passes", ordered_json::array()}};
  for (const auto& p : r.passes) j["passes"].push_back({{"name", p.name}, {"changes", p.changes}, {"ms", p.ms}, {"bytes_delta", p.bytes_delta}});
  j["memory"] = memory_json(r.memory, r.memory_limit_bytes);
  if (r.self_check_input.empty()) {
    j["self_check"] = nullptr;
    j["self_check_skipped"] = r.self_check_skipped;
  } else {
    j["self_check"] = {{"input", r.self_check_input}};
    j["accuracy"] = ordered_json::array();
    for (const auto& d : r.self_check) j["accuracy"].push_back({{"name", d.name}, {"range_error", d.range_error}, {"cosine", d.cosine}});
  }
  if (!r.recipes.empty()) {
    j["recipes"] = ordered_json::array();
    for (const auto& t : r.recipes)
      j["recipes"].push_back({{"stage", t.stage}, {"name", t.name}, {"db", t.decibels}, {"float_layers", t.float_layers}, {"chosen", t.chosen}});
  }
  j["notes"] = r.notes;
  j["details"] = r.details;
  j["seconds"] = seconds;
  j["peak_rss_bytes"] = peak_rss_bytes();
  return j;
}

std::string verdict(const OptimizeResult& r, const OptimizeOptions& o) {
  const double ratio = r.source_bytes > 0 ? static_cast<double>(r.sizes.file_bytes) / static_cast<double>(r.source_bytes) : 1;
  return "optimize: OK " + o.out + ", " + bytes_text(r.source_bytes) + " -> " + bytes_text(r.sizes.file_bytes) + " (" + number_text(ratio) +
         " of the source), " + std::to_string(r.nodes_before) + " -> " + std::to_string(r.nodes_after) + " nodes";
}

std::vector<ReportTable> tables_of(const OptimizeResult& r) {
  std::vector<ReportTable> tables;
  tables.push_back({"Sizes",
                    {{"what", "bytes"},
                     {"source", std::to_string(r.source_bytes)},
                     {"bundle", std::to_string(r.sizes.file_bytes)},
                     {"weights in the source", std::to_string(r.weight_bytes_source)},
                     {"weights, stored", std::to_string(r.sizes.weight_bytes_stored)}}});
  ReportTable passes{"Passes", {{"pass", "changes", "ms", "weight bytes"}}};
  for (const auto& p : r.passes)
    if (p.changes) passes.rows.push_back({p.name, std::to_string(p.changes), number_text(p.ms), std::to_string(p.bytes_delta)});
  tables.push_back(std::move(passes));
  tables.push_back({"Memory of one run",
                    {{"what", "bytes"},
                     {"weights", std::to_string(r.memory.weights_bytes)},
                     {"arena", std::to_string(r.memory.arena_bytes)},
                     {"arena, lower bound", std::to_string(r.memory.arena_lower_bound_bytes)},
                     {"workspace", std::to_string(r.memory.workspace_bytes)},
                     {"peak", std::to_string(r.memory.peak_bytes)}}});
  ReportTable accuracy{"Distance from the original, " + (r.self_check_input.empty() ? "not measured: " + r.self_check_skipped : r.self_check_input),
                       {{"output", "range error", "cosine"}}};
  for (const auto& d : r.self_check) accuracy.rows.push_back({d.name, number_text(d.range_error), number_text(d.cosine)});
  tables.push_back(std::move(accuracy));
  if (!r.recipes.empty()) {
    ReportTable recipes{"Recipes compared on held-out samples", {{"stage", "recipe", "signal to error, dB", "layers in float", "chosen"}}};
    for (const auto& t : r.recipes) recipes.rows.push_back({t.stage, t.name, number_text(t.decibels), std::to_string(t.float_layers), t.chosen ? "yes" : ""});
    tables.push_back(std::move(recipes));
  }
  if (!r.notes.empty()) {
    ReportTable notes{"Notes", {{"note"}}};
    for (const auto* list : {&r.notes, &r.details})
      for (const auto& n : *list) notes.rows.push_back({n});
    tables.push_back(std::move(notes));
  }
  return tables;
}

int run(const OptimizeOptions& o) {
  const auto start = std::chrono::steady_clock::now();
  check_usage(o);
  Output output(o.output);
  OptimizeRequest request = request_of(o);
  SampleOptions sample_options = sample_options_of(o.data, {});  // --shape and --dim say for which sizes to plan; samples may have others
  DeviceOptions device_options = o.device;
  if (!o.targets.empty()) device_options.device = "cpu";
  const auto device = choose_device(device_options, output);
  if (!o.memory_limit.empty()) request.memory_limit_bytes = parse_size(o.memory_limit, "--memory-limit", device->memory_bytes());
  request.pipeline.keep_reproducer = keep_reproducer;
  request.pipeline.print = [](std::string_view pass, const Graph& graph) { std::cerr << "# after " << pass << "\n" << to_text(graph) << std::endl; };

  output.progress("importing", 0);
  request.source = import_source(o, request);
  std::optional<SampleSource> samples;
  const Graph interface = interface_of(*request.source);
  if (sample_options.data) {
    samples.emplace(interface, std::move(sample_options));
    request.samples = &*samples;
    add_sample_shapes(request);
  }
  request.options_text = canonical_options(request, o);
  const OptimizeResult result = optimize(std::move(request), *device, [&](const std::string& what, double share) { output.progress(what, share); });

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const ordered_json j = to_json(result, seconds);
  for (const auto& p : result.passes)
    if (p.changes) output.detail("pass " + p.name + ": " + std::to_string(p.changes) + " changes, " + number_text(p.ms) + " ms");
  for (const auto& n : result.notes) output.line("note: " + n);
  for (const auto& d : result.details) output.detail(d);
  output.line("memory: " + memory_text(result.memory));
  for (const auto& d : result.self_check)
    output.line("distance from the original (" + result.self_check_input + "): " + d.name + "  range_error " + number_text(d.range_error) +
                "  cosine " + number_text(d.cosine));
  if (result.self_check_input.empty()) output.line("no self-check: " + result.self_check_skipped);
  if (!o.report.empty()) {
    Report report{"onecard optimize " + Path(o.model).filename().string(),
                  verdict(result, o),
                  tables_of(result),
                  {},
                  j.dump(1, ' ', false, ordered_json::error_handler_t::replace)};
    write_report(o.report, report);
  }
  output.object(j);
  output.line(verdict(result, o));
  return 0;
}

}  // namespace

Action set_up_optimize(CLI::App& app, const OpenNetwork&) {
  auto o = std::make_shared<OptimizeOptions>();
  add_options(app, *o);
  app.footer("Example:\n  onecard optimize resnet50.onnx -o resnet50.onecard --precision int8 --data calibration/");
  return [o] { return run(*o); };
}

}  // namespace onecard
