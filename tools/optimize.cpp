#include "lib/flow/optimize.h"

#include <chrono>
#include <fstream>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>

#include <malloc.h>
#include <unistd.h>
#include "lib/flow/load_model.h"
#include "lib/ir/text.h"
#include "lib/onnx/import.h"
#include "lib/report/report.h"

#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/optimize_options.h"
#include "tools/optimize_report.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;

GraphPtr import_source(const OptimizeOptions& o, OptimizeRequest& request) {
  require(!names_bundle(o.model), ErrorKind::usage, "'", o.model, "' is a bundle already; optimize takes an ONNX model");
  std::future<FileHash> hashed = std::async(std::launch::async, [&] { return hash_file(o.model); });
  ImportOptions options;
  options.shapes = request.shapes;
  options.data_files = &request.source_files;
  options.allowed_external_roots = external_roots_of(o.source);
  auto graph = std::make_shared<const Graph>(import_onnx(o.model, options));
  const FileHash hash = hashed.get();
  request.source_hash = hash.hex;
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

// Weights are made, replaced and dropped all the time: what one leaves serves the next, where the system would give it back, and clear it, each time.
// With samples the large ones go back all the same: between the statistics that stay they would leave holes that the next does not fit, hundreds of
// megabytes in some runs.
void keep_freed_memory(bool samples) {
#ifdef M_MMAP_THRESHOLD
  constexpr int kMostKept = 32 << 20, kLarge = 1 << 20;
  mallopt(M_MMAP_THRESHOLD, samples ? kLarge : kMostKept);
  mallopt(M_TRIM_THRESHOLD, kMostKept);
#endif
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

int run(const OptimizeOptions& o) {
  const auto start = std::chrono::steady_clock::now();
  check_usage(o);
  keep_freed_memory(!o.data.data.empty());
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
  const std::string title = "onecard optimize " + Path(o.model).filename().string();
  if (!o.report.empty()) request.guard_failed = [&](const GuardResult& g) { write_report(o.report, failed_guard_report(g, title)); };
  request.options_text = canonical_options(request, o);
  const OptimizeResult result = optimize(std::move(request), *device, [&](const std::string& what, double share) { output.progress(what, share); });

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const ordered_json j = to_json(result, seconds);
  for (const auto& p : result.passes)
    if (p.changes) output.detail("pass " + p.name + ": " + std::to_string(p.changes) + " changes, " + number_text(p.ms) + " ms");
  if (result.calibration_read) output.line("calibration: read from " + o.calibration_cache + ", not found on these samples");
  for (const auto& n : result.notes) output.line("note: " + n);
  for (const auto& w : result.warnings) output.say("warning: " + w);
  if (result.held_out)
    for (const auto& l : held_out_lines(*result.held_out)) output.line(l);
  for (const auto& line : zeros_text(result)) output.line(line);
  if (result.run_times) {
    output.line(times_text(*result.run_times));
    if (result.run_times->is_slower())
      output.say(
          "warning: it is slower here than the original; `onecard bench --layers` shows every step, `onecard inspect --plan` why others declined");
  }
  if (result.guard) output.line(guard_text(*result.guard));
  for (const auto& d : result.details) output.detail(d);
  output.line("memory: " + memory_text(result.memory));
  for (const auto& d : result.self_check)
    output.line("distance from the original (" + result.self_check_input + "): " + d.name + "  range_error " + number_text(d.range_error) +
                "  cosine " + number_text(d.cosine));
  if (result.self_check_input.empty()) output.line("no self-check: " + result.self_check_skipped);
  if (!o.report.empty()) {
    Report report{title, verdict(result, o.out), tables_of(result), {}, j.dump(1, ' ', false, ordered_json::error_handler_t::replace)};
    write_report(o.report, report);
  }
  output.object(j);
  output.line(verdict(result, o.out));
  return 0;
}

}  // namespace

Action set_up_optimize(Flags& flags, const OpenNetwork&) {
  auto o = std::make_shared<OptimizeOptions>();
  add_options(flags, *o);
  flags.footer("Example:\n  onecard optimize resnet50.onnx -o resnet50.onecard --precision int8 --data calibration/");
  return [o] { return run(*o); };
}

}  // namespace onecard
