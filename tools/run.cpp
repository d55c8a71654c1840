#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/runtime/compare.h"
#include "lib/runtime/data/npy.h"
#include "lib/runtime/executor.h"
#include "lib/runtime/self_check_run.h"
#include "lib/runtime/sizes.h"
#include "tools/command.h"
#include "tools/device_choice.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr double kDefaultRtol = 1e-3, kDefaultAtol = 1e-5;

struct RunOptions {
  std::string model, output_dir, memory_limit;
  OutputOptions output;
  SourceOptions source;
  DeviceOptions device;
  SizeOptions sizes;
  DataOptions data;
  bool check = false, self_check = false;
  std::optional<double> rtol, atol, max_range_error;
};

void check_usage(const RunOptions& o) {
  require(o.check || (!o.rtol && !o.atol && !o.max_range_error), ErrorKind::usage, "--rtol, --atol and --max-range-error need --check");
  require(!o.max_range_error || (!o.rtol && !o.atol), ErrorKind::usage, "--max-range-error and --rtol, --atol exclude each other");
  for (const auto* limit : {&o.rtol, &o.atol, &o.max_range_error}) require(!*limit || **limit >= 0, ErrorKind::usage, "a tolerance is 0 or more");
  require(!o.self_check || (!o.data.any() && o.output_dir.empty() && !o.check), ErrorKind::usage,
          "--self-check takes its inputs and answers from the bundle, it goes with no --data, --input, --random, --check or --output-dir");
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A sample's answers on disk: one array per output; the items of a sequence apart, an absent optional left out.
void write_answers(const Path& folder, const std::string& name, const Graph& graph, const std::vector<Tensor>& outputs) {
  std::vector<std::pair<std::string, const Tensor*>> arrays;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& t = outputs[i];
    if (!t.has_value()) continue;
    if (t.type().container != Container::sequence) {
      arrays.emplace_back(graph.outputs[i]->name, &t);
      continue;
    }
    for (size_t k = 0; k < t.items().size(); ++k) arrays.emplace_back(graph.outputs[i]->name + "." + std::to_string(k), &t.items()[k]);
  }
  write_npz(folder / (name + ".npz"), arrays);
}

// Runs the samples of one command, one in memory at a time.
class SampleRun {
 public:
  SampleRun(const RunOptions& options, Executor& executor, const SampleSource& samples, Output& output)
      : options_(options), executor_(executor), samples_(samples), output_(output), carry_(carry_of(options.data)) {}

  // The exit code's yes or no.
  bool run() {
    need_answers(samples_.has_answers());
    if (!options_.output_dir.empty()) make_folder();
    std::vector<Tensor> outputs;
    for (size_t i = 0; i < samples_.size(); ++i) {
      Sample sample = samples_.read(i);
      apply_carry(carry_, executor_.graph(), i, outputs, sample);
      std::vector<const Tensor*> in;
      for (const Tensor& t : sample.inputs) in.push_back(&t);
      const auto start = Clock::now();
      executor_.run(in, outputs);
      seconds_.push_back(seconds_since(start));
      std::string name = sample.name;
      for (int k = 2; !names_.insert(name).second; ++k) name = sample.name + "-" + std::to_string(k);
      if (!options_.output_dir.empty()) write_answers(options_.output_dir, name, executor_.graph(), outputs);
      report(name, sample, outputs);
      output_.progress("run", static_cast<double>(i + 1) / static_cast<double>(samples_.size()));
    }
    need_answers(compared_ > 0);
    return misses_ == 0;
  }

  const ordered_json& samples_json() const { return json_; }
  std::string summary() const {
    std::string text = std::to_string(samples_.size()) + (samples_.size() == 1 ? " sample" : " samples");
    if (compared_) text += ", " + std::to_string(compared_) + " outputs compared, worst range error " + number_text(worst_);
    if (!options_.check) text += compared_ ? ", no limit set (--check)" : ", nothing checked";
    if (misses_) text += ", " + std::to_string(misses_) + " missed; first: " + first_miss_;
    return text;
  }

 private:
  void need_answers(bool present) const {
    require(present || !options_.check, ErrorKind::usage,
            "--check: the samples hold no answers to compare with (output_<i>.pb, or arrays named like outputs)");
  }
  void make_folder() const {
    std::error_code code;
    std::filesystem::create_directories(options_.output_dir, code);
    require(!code, ErrorKind::io, "--output-dir ", options_.output_dir, ": ", code.message());
    check_writable(Path(options_.output_dir) / "answers.npz", "--output-dir");
  }

  void report(const std::string& name, const Sample& sample, const std::vector<Tensor>& outputs) {
    output_.line(name + "  " + ms_text(seconds_.back()));
    ordered_json list = ordered_json::array();
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string& output = executor_.graph().outputs[i]->name;
      const Tensor& t = outputs[i];
      ordered_json j = {{"name", output}};
      std::string text = "  " + output + "  ";
      if (!t.has_value()) text += "absent";
      else text += t.type().container == Container::sequence ? "sequence of " + std::to_string(t.items().size()) : t.type().text();
      if (t.has_value() && t.type().container == Container::tensor) j["shape"] = t.dims(), j["dtype"] = info(t.dtype()).name;
      if (const auto answer = sample.answers.find(output); answer != sample.answers.end()) compare_output(name, output, t, answer->second, j, text);
      output_.line(text);
      list.push_back(std::move(j));
    }
    if (options_.output.json) json_.push_back({{"name", name}, {"seconds", seconds_.back()}, {"outputs", std::move(list)}});
  }

  void compare_output(const std::string& sample, const std::string& output, const Tensor& got, const Tensor& want, ordered_json& j,
                      std::string& text) {
    const Comparison c = compare(got, want);
    ++compared_;
    worst_ = std::max(worst_, c.range_error);
    j["max_abs"] = c.max_abs, j["range_error"] = c.range_error, j["cosine"] = c.cosine;
    text += c.comparable ? "  max_abs " + number_text(c.max_abs) + "  range_error " + number_text(c.range_error) + "  cosine " + number_text(c.cosine)
                         : "  " + c.why_not;
    if (!options_.check) return;
    std::string why_not = c.why_not;
    bool pass = false;
    if (!options_.max_range_error) pass = all_close(got, want, options_.rtol.value_or(kDefaultRtol), options_.atol.value_or(kDefaultAtol), why_not);
    else if (c.comparable && !(pass = c.range_error <= *options_.max_range_error)) why_not = "range error " + number_text(c.range_error);
    j["pass"] = pass;
    if (pass) return;
    text += "  MISS: " + why_not;
    if (misses_++ == 0) first_miss_ = "'" + output + "' of " + sample + ": " + why_not;
  }

  const RunOptions& options_;
  Executor& executor_;
  const SampleSource& samples_;
  Output& output_;
  Carry carry_;
  std::set<std::string> names_;
  std::vector<double> seconds_;
  ordered_json json_ = ordered_json::array();
  int64_t compared_ = 0, misses_ = 0;
  double worst_ = 0;
  std::string first_miss_;
};

// What is known of the answers: PASS is said of nothing that no limit was held against.
enum class Outcome { unchecked, pass, fail };

int finish(Output& output, ordered_json j, Outcome outcome, const std::string& summary) {
  j["checked"] = outcome != Outcome::unchecked;
  j["pass"] = outcome != Outcome::fail;
  output.object(j);
  output.line(std::string("run: ") + (outcome == Outcome::unchecked ? "OK " : outcome == Outcome::pass ? "PASS " : "FAIL ") + summary);
  return outcome == Outcome::fail ? static_cast<int>(ErrorKind::check_failed) : 0;
}

int run_own_check(const Network& network, Executor& executor, Output& output, const std::optional<int64_t>& limit) {
  require(network.bundle != nullptr, ErrorKind::usage, "--self-check needs a bundle; an ONNX model carries no answers");
  ordered_json j = {{"device", executor.device().name()}, {"self_check", ordered_json::array()}};
  const auto& check = network.bundle->self_check();
  if (!check) return finish(output, std::move(j), Outcome::unchecked, "nothing checked: the bundle carries no self-check");
  bool pass = true;
  double worst = 0;
  for (const CheckedDistance& d : run_self_check(executor, *check)) {
    pass = pass && d.pass();
    worst = std::max(worst, d.range_error);
    output.line("  " + d.name + "  range_error " + number_text(d.range_error) + (d.pass() ? "" : "  MISS " + d.why_not));
    j["self_check"].push_back({{"name", d.name}, {"range_error", d.range_error}, {"pass", d.pass()}});
    if (!d.why_not.empty()) j["self_check"].back()["why_not"] = d.why_not;
  }
  j["memory"] = memory_json(executor.memory(), limit);
  return finish(output, std::move(j), pass ? Outcome::pass : Outcome::fail,
                "self-check, worst range error " + number_text(worst) + " of " + number_text(kSelfCheckTolerance) + " allowed");
}

int run(const RunOptions& o, const OpenNetwork& open) {
  check_usage(o);
  Output output(o.output);
  const auto shapes = shapes_of(o.sizes);
  const auto dims = dims_of(o.sizes);
  SampleOptions sample_options = sample_options_of(o.data, o.sizes);
  carry_of(o.data);
  const auto device = choose_device(o.device, output);
  std::optional<int64_t> limit;
  if (!o.memory_limit.empty()) limit = parse_size(o.memory_limit, "--memory-limit", device->memory_bytes());
  output.progress("opening", 0);
  OpenRequest request{o.model, device->name() == "reference" ? Form::as_written : Form::ready_to_run, CheckWeights::now, shapes,
                      external_roots_of(o.source)};
  const Network network = open(request);
  Executor executor(network.graph, *device, {limit});
  if (o.self_check) return run_own_check(network, executor, output, limit);

  ordered_json j;
  j["device"] = device->name();
  if (o.data.random || !shapes.empty() || !dims.empty()) {
    const ChosenSizes sizes = choose_sizes(*network.graph, dims, shapes);
    sample_options.random_types = sizes.inputs;
    if (o.data.random) {
      j["inputs"] = "random, seed " + std::to_string(*o.data.random);
      j["sizes"] = sizes.text();
      output.line("inputs: random, seed " + std::to_string(*o.data.random) + (sizes.text().empty() ? "" : ", " + sizes.text()));
    }
  }
  const SampleSource samples(*network.graph, std::move(sample_options));
  SampleRun all(o, executor, samples, output);
  const bool pass = all.run();
  j["samples"] = all.samples_json();
  j["memory"] = memory_json(executor.memory(), limit);
  j["peak_rss_bytes"] = peak_rss_bytes();
  output.detail("memory: " + memory_text(executor.memory()));
  return finish(output, std::move(j), !o.check ? Outcome::unchecked : pass ? Outcome::pass : Outcome::fail, all.summary() + " on " + device->name());
}

}  // namespace

Action set_up_run(Flags& flags, const OpenNetwork& open) {
  auto o = std::make_shared<RunOptions>();
  flags.add_required("MODEL", o->model, "the model or bundle");
  flags.add_option("--output-dir", o->output_dir, "write one .npz of outputs per sample into this folder");
  flags.add_flag("--check", o->check, "exit 1 when an output is not close to its answer, 2 when there is none");
  flags.add_option("--rtol", o->rtol, "elementwise: |got - want| <= atol + rtol |want| (default 1e-3)");
  flags.add_option("--atol", o->atol, "see --rtol (default 1e-5)");
  flags.add_option("--max-range-error", o->max_range_error, "instead: largest |difference| over the range of the answer, per output");
  flags.add_flag("--self-check", o->self_check, "run the sample that the bundle carries and compare with its stored answer");
  flags.add_option("--memory-limit", o->memory_limit, "hard cap on all device memory: 512MiB, 80%, -1GiB");
  add_options(flags, o->data, RandomInputs::allowed);
  add_options(flags, o->source);
  add_options(flags, o->sizes);
  add_options(flags, o->device);
  add_options(flags, o->output);
  flags.footer("Example:\n  onecard run resnet50.onecard --data test_data_set_0 --check --device cpu");
  return [o, open] { return run(*o, open); };
}

}  // namespace onecard
