#include "tools/optimize_options.h"

#include <charconv>
#include <filesystem>

#include "lib/report/report.h"
#include "tools/label_task.h"

namespace onecard {

namespace {

constexpr std::string_view kPrecisions[] = {"f32", "f16", "bf16", "int8", "int8-dynamic", "int8-weights", "int4-weights"};
constexpr std::string_view kBlockSizes[] = {"32", "64", "128"};
constexpr CalibrationMethod kCalibrations[] = {CalibrationMethod::automatic, CalibrationMethod::minmax, CalibrationMethod::entropy,
                                               CalibrationMethod::percentile, CalibrationMethod::mse};

// Nothing for an unknown word.
std::optional<CalibrationMethod> calibration_of(const std::string& text) {
  for (const CalibrationMethod m : kCalibrations)
    if (text == name_of(m)) return m;
  return std::nullopt;
}

template <size_t N>
bool is_one_of(const std::string_view (&list)[N], const std::string& text) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

// The shortest text that reads back as the same number.
std::string number(double v) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, v).ptr};
}

void check_precision(const OptimizeOptions& o) {
  constexpr const char* kHave = "the precisions are f32, f16, bf16, int8, int8-dynamic, int8-weights and int4-weights";
  require(is_one_of(kPrecisions, o.precision), ErrorKind::usage, "--precision ", o.precision, ": there is no such precision; ", kHave);
  require(o.calibration.empty() || calibration_of(o.calibration), ErrorKind::usage, "--calibration ", o.calibration,
          ": the ways are auto, minmax, entropy, percentile and mse");
  const bool calibrates = o.precision == "int8";
  require(!calibrates || !o.data.data.empty(), ErrorKind::usage,
          "--precision int8 is calibrated on samples: give --data PATH (or use int8-dynamic or int8-weights, which need none)");
  require(calibrates || (o.calibration.empty() && o.calibration_cache.empty()), ErrorKind::usage,
          "--calibration and --calibration-cache need --precision int8");
  require(o.block_size.empty() || o.precision == "int4-weights", ErrorKind::usage, "--block-size needs --precision int4-weights");
  require(o.block_size.empty() || is_one_of(kBlockSizes, o.block_size), ErrorKind::usage, "--block-size ", o.block_size,
          ": the sizes are 32, 64 and 128");
}

std::optional<PruneScope> scope_of(const std::string& text) {
  if (text == "tensor") return PruneScope::tensor;
  if (text == "global") return PruneScope::global;
  if (text == "lamp") return PruneScope::lamp;
  return std::nullopt;
}

std::optional<PruneScore> score_of(const std::string& text) {
  if (text == "l1") return PruneScore::l1;
  if (text == "wanda") return PruneScore::wanda;
  return std::nullopt;
}

constexpr std::string_view kTwoOfFour = "2:4";

double prune_amount(const OptimizeOptions& o) {
  if (o.prune.empty()) return 0;
  if (o.prune == kTwoOfFour) return 0.5;
  double amount = -1;
  const char* end = o.prune.data() + o.prune.size();
  const auto [rest, error] = std::from_chars(o.prune.data(), end, amount);
  require(error == std::errc() && rest == end && amount >= 0 && amount <= 1, ErrorKind::usage, "--prune ", o.prune,
          ": the amount is a share of the weights, from 0 to 1, or 2:4");
  return amount;
}

void check_prune(const OptimizeOptions& o) {
  prune_amount(o);
  const bool more = !o.prune_scope.empty() || !o.prune_score.empty() || !o.prune_repair.empty() || !o.prune_only.empty() || !o.prune_skip.empty();
  require(!o.prune.empty() || !more, ErrorKind::usage,
          "--prune-scope, --prune-score, --prune-repair, --prune-only and --prune-skip need --prune AMOUNT");
  require(o.prune_scope.empty() || o.prune_scope == "auto" || scope_of(o.prune_scope), ErrorKind::usage, "--prune-scope ", o.prune_scope,
          ": the scopes are auto, tensor, global and lamp");
  require(o.prune_score.empty() || o.prune_score == "auto" || score_of(o.prune_score), ErrorKind::usage, "--prune-score ", o.prune_score,
          ": the scores are auto, l1 and wanda");
  require(o.prune_score != "wanda" || !o.data.data.empty(), ErrorKind::usage,
          "--prune-score wanda weighs weights by what they multiply: give --data PATH");
  require(o.prune_repair.empty() || o.prune_repair == "auto" || o.prune_repair == "none", ErrorKind::usage, "--prune-repair ", o.prune_repair,
          ": the ways are auto and none");
  require(o.prune != kTwoOfFour || o.prune_scope.empty(), ErrorKind::usage,
          "--prune 2:4 takes the same share of every four elements: there is no --prune-scope to choose");
}

void check_not_yet(const OptimizeOptions& o) {
  if (!o.host_memory_limit.empty()) comes_later("--host-memory-limit", "this one limits the memory of the run: --memory-limit SIZE");
  if (o.tune) comes_later("--tune", "this one chooses kernels by rule");
  if (o.suggest) comes_later("--suggest", "this one names the smallest feasible limit: --memory-limit 1");
  for (const auto& t : o.targets) {
    if (t.starts_with("cuda")) comes_later("--target " + t, "this one prepares bundles for the cpu, and they run on any device");
    require(t == "cpu", ErrorKind::usage, "--target ", t, ": there is no such target; this version has cpu");
    require(o.device.device == "auto" || o.device.device == "cpu", ErrorKind::usage, "--target cpu and --device ", o.device.device,
            " contradict each other");
  }
  require(!o.allow_cpu_steps, ErrorKind::usage, "--allow-cpu-steps needs --target cuda:…, which comes in a later version");
}

bool has_guard(const OptimizeOptions& o) { return o.gates.min_cosine || o.gates.min_sqnr_db || o.gates.max_drop_percent; }

void check_guard(const OptimizeOptions& o) {
  check_gates(o.gates);
  require(!o.labels.empty() || (o.metric.empty() && !o.gates.max_drop_percent), ErrorKind::usage, "--metric and --max-drop need --labels FILE");
  require(o.labels.empty() || o.gates.max_drop_percent, ErrorKind::usage, "--labels FILE: say how much may be lost: --max-drop PERCENT");
  if (!has_guard(o)) return;
  require(!o.data.data.empty(), ErrorKind::usage, "--min-cosine, --min-sqnr and --max-drop are measured on samples: give --data PATH");
  require(o.stop_after.empty(), ErrorKind::usage, "--stop-after leaves the network unfinished: its accuracy cannot be guarded");
}

void check_passes(const OptimizeOptions& o) {
  for (const auto* names : {&o.skip_pass, &o.only_pass, &o.print_after})
    for (const std::string& name : *names)
      require(find_pass(name) != nullptr || (names == &o.print_after && name == "all"), ErrorKind::usage, "no pass is named '", name,
              "'; `onecard passes` lists them");
  if (!o.stop_after.empty()) StopAfter::parse(o.stop_after);
}

// Whether both names mean one file, that is there or is to be written.
bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code code;
  if (std::filesystem::equivalent(a, b, code)) return true;
  const auto canonical = [&](const std::string& name) { return std::filesystem::weakly_canonical(std::filesystem::absolute(name, code), code); };
  const Path first = canonical(a), second = canonical(b);
  return !code && first == second;
}

// What one flag writes, no other may write or read.
void check_names_differ(const OptimizeOptions& o) {
  const std::pair<const char*, const std::string*> files[] = {
      {"-o", &o.out}, {"--report", &o.report}, {"--calibration-cache", &o.calibration_cache}, {"MODEL", &o.model}, {"--labels", &o.labels}};
  for (const auto& [flag, file] : files)
    for (const auto& [other, name] : files) {
      if (flag == other || file->empty() || name->empty() || !is_same_file(*file, *name)) continue;
      if (name == &o.model) fail(ErrorKind::usage, flag, " ", *file, ": is the model itself");
      fail(ErrorKind::usage, flag, " ", *file, ": ", other, " names the same file");
    }
}

void check_out(const OptimizeOptions& o) {
  const Path out(o.out);
  std::error_code code;
  const auto status = std::filesystem::status(out, code);
  require(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), ErrorKind::usage, "-o ", o.out,
          ": is there and is no regular file");
  check_names_differ(o);
  const Path folder = out.parent_path();
  require(!out.filename().empty(), ErrorKind::usage, "-o ", o.out, ": names no file");
  require(folder.empty() || std::filesystem::is_directory(folder, code), ErrorKind::io, "-o ", o.out, ": there is no folder '", folder.string(), "'");
  check_writable(out, "-o");
  if (!o.report.empty()) check_writable(o.report, "--report");
  if (!o.calibration_cache.empty() && !std::filesystem::exists(o.calibration_cache, code)) check_writable(o.calibration_cache, "--calibration-cache");
}

}  // namespace

void add_options(Flags& flags, OptimizeOptions& o) {
  flags.add_required("MODEL", o.model, "the .onnx file");
  flags.add_required("-o,--output", o.out, "the bundle to write; replaced whole or not at all");
  flags.add_option(
      "--precision", o.precision,
      "f32 (loses nothing), f16, bf16, int8 (static, needs --data), int8-dynamic (inputs quantized while running), int8-weights or int4-weights");
  flags.add_option("--block-size", o.block_size, "of int4-weights: 32 (default), 64 or 128 weights share a scale");
  flags.add_option(
      "--calibration", o.calibration,
      "how int8 is found: auto (whole recipes compete on held-out samples), or ranges alone by minmax, entropy, percentile (99.99) or mse");
  flags.add_option("--calibration-cache", o.calibration_cache, "what calibration decided, of any way, read from, or written to, this text file");
  flags.add_option("--prune", o.prune, "share of zeros over all prunable weights, 0 to 1; or 2:4, two of each four");
  flags.add_option("--prune-scope", o.prune_scope, "auto, tensor, global or lamp: among which weights the smallest are looked for");
  flags.add_option("--prune-score", o.prune_score,
                   "auto, l1 (|w|) or wanda (|w| times the norm of the input it multiplies, in matrix products; needs --data)");
  flags.add_option("--prune-repair", o.prune_repair, "auto (with --data, least squares on what is left) or none");
  flags.add_list("--prune-only", o.prune_only, "prune these alone: a glob of names of weights or of layers' outputs; repeatable");
  flags.add_list("--prune-skip", o.prune_skip, "leave these out: such a glob; repeatable");
  flags.add_option("--memory-limit", o.memory_limit, "hard cap on all device memory of a run: 512MiB, 80%, -1GiB");
  flags.add_option("--host-memory-limit", o.host_memory_limit, "comes in a later version");
  flags.add_option("--max-drop", o.gates.max_drop_percent,
                   "the metric falls by at most so many percent points on the samples, else layers are left as they were (with --labels)");
  flags.add_option("--labels", o.labels, "one class per row of the first output, in the order of the samples: .npy of integers, or text");
  flags.add_option("--metric", o.metric, "top1 (default) or top5");
  flags.add_option("--min-cosine", o.gates.min_cosine,
                   "every output's cosine to the original's is at least this on every sample, else layers are left as they were");
  flags.add_option("--min-sqnr", o.gates.min_sqnr_db, "the same for the signal to error, in dB");
  flags.add_list("--target", o.targets, "cpu: what the bundle is prepared for");
  flags.add_flag("--allow-cpu-steps", o.allow_cpu_steps, "comes in a later version");
  flags.add_flag("--tune", o.tune, "comes in a later version");
  flags.add_flag("--suggest", o.suggest, "comes in a later version");
  add_options(flags, o.source);
  flags.add_list("--skip-pass", o.skip_pass, "leave out this pass; repeatable");
  flags.add_list("--only-pass", o.only_pass, "run this pass alone; repeatable");
  flags.add_option("--stop-after", o.stop_after, "NAME[:N] ends the pipeline after the N-th run of a pass");
  flags.add_list("--print-after", o.print_after, "print the graph to stderr after this pass, or after all; repeatable");
  flags.add_flag("--verify-passes", o.verify_passes, "run the network after every pass and name the pass that changes an answer");
  flags.add_option("--report", o.report, "the whole story: FILE.html, FILE.md or FILE.json");
  add_options(flags, o.data, RandomInputs::refused);
  add_options(flags, o.sizes);
  add_options(flags, o.device);
  add_options(flags, o.output);
}

void check_usage(const OptimizeOptions& o) {
  check_precision(o);
  check_prune(o);
  check_not_yet(o);
  check_guard(o);
  require(o.data.inputs.empty(), ErrorKind::usage, "optimize takes its samples from --data PATH, not from --input");
  check_passes(o);
  carry_of(o.data);
  shapes_of(o.sizes);
  dims_of(o.sizes);
  if (!o.report.empty())
    require(report_format(o.report) != ReportFormat::junit, ErrorKind::usage, "--report ", o.report, ": optimize writes .html, .md or .json");
  check_out(o);
}

OptimizeRequest request_of(const OptimizeOptions& o) {
  OptimizeRequest r;
  r.out = o.out;
  r.source_name = Path(o.model).filename().string();
  r.prune.amount = prune_amount(o);
  r.prune.only = o.prune_only;
  r.prune.skip = o.prune_skip;
  if (o.prune == kTwoOfFour) r.prune.pattern = PrunePattern::two_of_four, r.prune_scopes = {PruneScope::tensor};
  else if (const auto scope = scope_of(o.prune_scope)) r.prune.scope = *scope, r.prune_scopes = {*scope};
  else r.prune_scopes = {PruneScope::tensor, PruneScope::global, PruneScope::lamp};
  if (const auto score = score_of(o.prune_score)) r.prune_score = *score;
  r.repair = o.prune_repair != "none";
  r.calibration = calibration_of(o.calibration);
  if (o.precision.starts_with("int8")) r.weights = WeightPrecision::int8;
  if (o.precision == "int4-weights") r.weights = WeightPrecision::int4;
  if (!o.block_size.empty()) r.weight_block = std::stoll(o.block_size);
  if (o.precision == "f16") r.floats = DType::f16;
  if (o.precision == "bf16") r.floats = DType::bf16;
  if (o.precision == "int8") r.activations = ActivationPrecision::int8;
  if (o.precision == "int8-dynamic") r.activations = ActivationPrecision::int8_dynamic;
  const Carry carry = carry_of(o.data);
  r.carry = carry.pairs;
  r.carry_start = carry.starts;
  if (!o.calibration_cache.empty()) r.calibration_cache = o.calibration_cache;
  if (has_guard(o)) r.guard = GuardRequest{o.gates, label_task(o.labels, o.metric)};
  r.dims = dims_of(o.sizes);
  r.shapes = shapes_of(o.sizes);
  r.verify_passes = o.verify_passes;
  r.pipeline.skip = o.skip_pass;
  r.pipeline.only = o.only_pass;
  r.pipeline.print_after = o.print_after;
  if (!o.stop_after.empty()) r.pipeline.stop_after = StopAfter::parse(o.stop_after);
  return r;
}

std::string canonical_options(const OptimizeRequest& r, const OptimizeOptions& o) {
  std::string text = "precision=" + o.precision;
  const auto add = [&](const std::string& key, const std::string& value) { text += " " + key + "=" + value; };
  if (r.weights == WeightPrecision::int4) add("block-size", std::to_string(r.weight_block));
  if (r.activations == ActivationPrecision::int8) add("calibration", r.calibration ? name_of(*r.calibration) : "auto");
  if (r.samples) add("samples", std::to_string(r.samples->size()));
  for (const auto& [out, in] : r.carry) add("carry", out + ":" + in);
  if (r.prune.amount > 0) {
    const bool fours = r.prune.pattern == PrunePattern::two_of_four;
    add("prune", fours ? std::string(kTwoOfFour) : number(r.prune.amount));
    if (!fours) add("prune-scope", o.prune_scope.empty() ? "auto" : o.prune_scope);
    for (const std::string& glob : r.prune.only) add("prune-only", glob);
    for (const std::string& glob : r.prune.skip) add("prune-skip", glob);
    if (score_of(o.prune_score)) add("prune-score", o.prune_score);
    add("prune-repair", r.repair ? "auto" : "none");
  }
  const auto gate = [&](const std::string& key, const std::optional<double>& limit) {
    if (limit) add(key, number(*limit));
  };
  gate("min-cosine", o.gates.min_cosine);
  gate("min-sqnr", o.gates.min_sqnr_db);
  gate("max-drop", o.gates.max_drop_percent);
  if (o.gates.max_drop_percent) add("metric", o.metric.empty() ? "top1" : o.metric);
  for (const auto& [name, shape] : shapes_of(o.sizes)) add("shape", name + ":" + Shape::of(shape).text());
  for (const auto& [name, value] : r.dims) add("dim", name + ":" + std::to_string(value));
  if (r.memory_limit_bytes) add("memory-limit", std::to_string(*r.memory_limit_bytes));
  for (const auto& p : r.pipeline.skip) add("skip-pass", p);
  for (const auto& p : r.pipeline.only) add("only-pass", p);
  if (r.pipeline.stop_after) add("stop-after", r.pipeline.stop_after->pass + ":" + std::to_string(r.pipeline.stop_after->occurrence));
  return text;
}

}  // namespace onecard
