#include "lib/runtime/bench.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "lib/base/parallel.h"
#include "lib/runtime/sizes.h"
#include "tools/command.h"
#include "tools/device_choice.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;

struct BenchFlags {
  std::string model, memory_limit;
  BenchOptions bench;
  bool layers = false;
  OutputOptions output;
  SourceOptions source;
  DeviceOptions device;
  SizeOptions sizes;
  DataOptions data;
};

void add_layers(Output& output, ordered_json& j, const std::vector<StepTime>& steps) {
  double sum = 0;
  for (const StepTime& s : steps) sum += s.ms;
  std::vector<std::vector<std::string>> rows{{"kernel", "node", "ms", "share", "bytes", "flops"}};
  j["layers"] = ordered_json::array();
  for (const StepTime& s : steps) {
    const double share = sum > 0 ? s.ms / sum : 0;
    j["layers"].push_back({{"kernel", s.kernel}, {"node", s.node}, {"ms", s.ms}, {"share", share}, {"bytes", s.bytes}, {"flops", s.flops}});
    rows.push_back({s.kernel, s.node, number_text(s.ms), number_text(100 * share) + "%", std::to_string(s.bytes), number_text(s.flops)});
  }
  output.line(table_text(rows));
}

int run(const BenchFlags& o, const OpenNetwork& open) {
  Output output(o.output);
  const auto shapes = shapes_of(o.sizes);
  const auto dims = dims_of(o.sizes);
  require(o.bench.iterations > 0, ErrorKind::usage, "--iterations ", o.bench.iterations, ": at least one run is measured");
  SampleOptions sample_options = sample_options_of(o.data, o.sizes);
  require(o.data.carry.empty(), ErrorKind::usage, "bench repeats one sample, --carry makes no sense here");
  carry_of(o.data);
  if (!o.data.any()) sample_options.random_seed = 1;
  const auto device = choose_device(o.device, output);
  std::optional<int64_t> limit;
  if (!o.memory_limit.empty()) limit = parse_size(o.memory_limit, "--memory-limit", device->memory_bytes());

  output.progress("opening", 0);
  const auto start = std::chrono::steady_clock::now();
  const Network network =
      open({o.model, device->name() == "reference" ? Form::as_written : Form::ready_to_run, CheckWeights::now, shapes, external_roots_of(o.source)});
  std::string sizes_text;
  if (sample_options.random_seed || !shapes.empty() || !dims.empty()) {
    const ChosenSizes sizes = choose_sizes(*network.graph, dims, shapes);
    sample_options.random_types = sizes.inputs;
    sizes_text = sizes.text();
  }
  const bool random = sample_options.random_seed.has_value();
  const SampleSource samples(*network.graph, sample_options);
  const Sample sample = samples.read(0);
  std::vector<const Tensor*> inputs;
  for (const Tensor& t : sample.inputs) inputs.push_back(&t);
  Executor executor(network.graph, *device, {limit});
  executor.run(inputs);
  const double load_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();

  output.progress("measuring", 0);
  const BenchResult result = bench(executor, inputs, o.bench);
  const double median = result.percentile(0.5);
  ordered_json j = {{"median_ms", median},
                    {"p10_ms", result.percentile(0.1)},
                    {"p90_ms", result.percentile(0.9)},
                    {"p99_ms", result.percentile(0.99)},
                    {"min_ms", result.percentile(0)}};
  j["load_ms"] = load_ms;
  j["iterations"] = result.ms.size();
  j["throughput_per_s"] = median > 0 ? 1e3 / median : 0;
  j["device"] = device->name();
  j["threads"] = thread_count();
  j["inputs"] = random ? "random, seed " + std::to_string(*sample_options.random_seed) : "sample '" + sample.name + "'";
  if (random) j["sizes"] = sizes_text;
  if (o.layers) add_layers(output, j, bench_steps(executor, inputs, o.bench));
  j["memory"] = memory_json(executor.memory(), limit);
  j["peak_rss_bytes"] = peak_rss_bytes();
  output.object(j);
  output.line("inputs: " + j["inputs"].get<std::string>() + (random && !sizes_text.empty() ? ", " + sizes_text : ""));
  output.line("memory: " + memory_text(executor.memory()));
  output.line("bench: median " + number_text(median) + " ms, p10 " + number_text(result.percentile(0.1)) + ", p90 " +
              number_text(result.percentile(0.9)) + ", min " + number_text(result.percentile(0)) + ", " + std::to_string(result.ms.size()) +
              " iterations, load " + number_text(load_ms) + " ms, " + device->name() + ", " + std::to_string(thread_count()) + " threads");
  return 0;
}

}  // namespace

Action set_up_bench(Flags& flags, const OpenNetwork& open) {
  auto o = std::make_shared<BenchFlags>();
  flags.add_required("MODEL", o->model, "the model or bundle");
  flags.add_not_negative("--warmup", o->bench.warmup, "runs before measuring (default 3)");
  flags.add_option("--iterations", o->bench.iterations, "at least so many runs (default 20)");
  flags.add_not_negative("--duration", o->bench.seconds, "and at least so many seconds (default 1)");
  flags.add_flag("--layers", o->layers, "time, bytes and flops of every step too, measured apart");
  flags.add_option("--memory-limit", o->memory_limit, "hard cap on all device memory: 512MiB, 80%, -1GiB");
  add_options(flags, o->data, RandomInputs::allowed);
  add_options(flags, o->source);
  add_options(flags, o->sizes);
  add_options(flags, o->device);
  add_options(flags, o->output);
  flags.footer(
      "Without inputs: --random 1. load_ms runs from opening the file to the end of the first run.\nExample:\n  onecard bench resnet50.onecard --dim "
      "batch=8 --threads 4 --layers");
  return [o, open] { return run(*o, open); };
}

}  // namespace onecard
