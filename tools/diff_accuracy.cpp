#include "lib/flow/diff_accuracy.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "lib/report/report.h"
#include "lib/runtime/sizes.h"
#include "tools/command.h"
#include "tools/device_choice.h"
#include "tools/label_task.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;

struct DiffFlags {
  std::string reference, candidate, labels, metric, save_baseline, against_baseline, report;
  bool layers = false, bisect = false;
  Gates gates;
  OutputOptions output;
  SourceOptions source;
  DeviceOptions device;
  SizeOptions sizes;
  DataOptions data;
};

ordered_json metrics_json(const Comparison& c) {
  ordered_json j;
  for (const Metric& m : metrics()) j[std::string(m.name)] = c.*m.member;
  return j;
}

ordered_json to_json(const Difference& d) {
  ordered_json j = {{"name", d.name}};
  if (!d.origin.empty()) j["origin"] = d.origin;
  j.update(metrics_json(d.worst));
  j["mean"] = metrics_json(d.mean);
  if (!d.worst.comparable) j["why_not"] = d.worst.why_not;
  return j;
}

ReportTable table_of(const std::string& heading, const std::vector<Difference>& differences) {
  ReportTable t{heading, {{"tensor"}}};
  for (const Metric& m : metrics()) t.rows[0].emplace_back(m.name);
  for (const Difference& d : differences) {
    t.rows.push_back({d.name});
    for (const Metric& m : metrics()) t.rows.back().push_back(number_text(d.worst.*m.member));
  }
  return t;
}

// Everything that was found, once as JSON and once as tables.
struct Findings {
  ordered_json json;
  Report report;
};

Findings findings_of(const DiffFlags& o, const DiffResult& r, const std::vector<ReportCheck>& checks, const Device& device) {
  Findings f;
  const bool pass = std::all_of(checks.begin(), checks.end(), [](const ReportCheck& c) { return c.pass; });
  f.json["pass"] = pass;
  f.json["device"] = device.name();
  f.json["samples"] = r.samples;
  f.json["outputs"] = ordered_json::array();
  for (const Difference& d : r.outputs) f.json["outputs"].push_back(to_json(d));
  if (o.layers || o.bisect) {
    f.json["layers"] = ordered_json::array();
    for (const Difference& d : r.layers) f.json["layers"].push_back(to_json(d));
  }
  const Difference* bad = o.bisect ? first_bad_layer(r, o.gates) : nullptr;
  if (o.bisect) f.json["first_bad"] = bad ? to_json(*bad) : ordered_json(nullptr);
  if (r.task)
    f.json["task"] = {{"metric", o.metric.empty() ? "top1" : o.metric},
                      {"reference", r.task->reference},
                      {"candidate", r.task->candidate},
                      {"drop_percent", r.task->drop_percent()}};
  f.json["checks"] = ordered_json::array();
  for (const auto& c : checks) f.json["checks"].push_back({{"name", c.name}, {"pass", c.pass}, {"message", c.message}});

  const auto missed = std::find_if(checks.begin(), checks.end(), [](const ReportCheck& c) { return !c.pass; });
  f.report.verdict = std::string("diff-accuracy: ") + (checks.empty() ? "OK " : pass ? "PASS " : "FAIL ") + std::to_string(r.samples) +
                     (r.samples == 1 ? " sample" : " samples") + " on " + device.name();
  if (checks.empty()) f.report.verdict += ", nothing checked: no gate was given";
  if (!pass) f.report.verdict += ", " + missed->name + ": " + missed->message;
  f.report.title = "onecard diff-accuracy " + Path(o.reference).filename().string() + " " + Path(o.candidate).filename().string();
  f.report.checks = checks;
  f.report.tables.push_back(table_of("Outputs, worst over all samples", r.outputs));
  if (o.layers) f.report.tables.push_back(table_of("Layers, worst over all samples", r.layers));
  if (o.bisect)
    f.report.tables.push_back(
        {"First layer over the threshold",
         {{"tensor", "origin", "range error"},
          bad ? std::vector<std::string>{bad->name, bad->origin, number_text(bad->worst.range_error)} : std::vector<std::string>{"none", "", ""}}});
  if (r.task)
    f.report.tables.push_back({"Task",
                               {{"", o.metric.empty() ? "top1" : o.metric},
                                {"reference", number_text(100 * r.task->reference) + "%"},
                                {"candidate", number_text(100 * r.task->candidate) + "%"},
                                {"drop", number_text(r.task->drop_percent())}}});
  f.report.json = f.json.dump(1, ' ', false, ordered_json::error_handler_t::replace);
  return f;
}

int run(const DiffFlags& o, const OpenNetwork& open) {
  Output output(o.output);
  check_gates(o.gates);
  if (!o.report.empty()) report_format(o.report), check_writable(o.report, "--report");
  if (!o.save_baseline.empty()) check_writable(o.save_baseline, "--save-baseline");
  DiffRequest request;
  require(!o.labels.empty() || (o.metric.empty() && !o.gates.max_drop_percent), ErrorKind::usage, "--metric and --max-drop need --labels FILE");
  request.task = label_task(o.labels, o.metric);
  request.carry = carry_of(o.data);
  request.layers = o.layers || o.bisect;
  SampleOptions sample_options = sample_options_of(o.data, o.sizes);
  const auto shapes = shapes_of(o.sizes);
  const auto dims = dims_of(o.sizes);
  std::string baseline;
  if (!o.against_baseline.empty()) baseline = read_text(o.against_baseline);
  const auto device = choose_device(o.device, output);
  // Models run as they are written: what a pass does to them is part of what is measured.
  request.reference = open({o.reference, Form::as_written, CheckWeights::now, shapes, external_roots_of(o.source)}).graph;
  request.candidate = open({o.candidate, Form::as_written, CheckWeights::now, shapes, external_roots_of(o.source)}).graph;
  if (o.data.random || !shapes.empty() || !dims.empty()) {
    const ChosenSizes sizes = choose_sizes(*request.reference, dims, shapes);
    sample_options.random_types = sizes.inputs;
    if (o.data.random) output.line("inputs: random, seed " + std::to_string(*o.data.random) + (sizes.text().empty() ? "" : ", " + sizes.text()));
  }
  const SampleSource samples(*request.reference, std::move(sample_options));
  request.samples = &samples;

  const DiffResult result = diff_accuracy(request, *device, [&](double share) { output.progress("comparing", share); });
  std::vector<ReportCheck> checks = judge(result, o.gates);
  if (!baseline.empty())
    for (auto& c : judge_against(result, baseline)) checks.push_back(std::move(c));
  if (!o.save_baseline.empty()) write_text(o.save_baseline, to_baseline(result));
  Findings f = findings_of(o, result, checks, *device);
  if (o.data.random) f.json["inputs"] = "random, seed " + std::to_string(*o.data.random);
  if (!o.report.empty()) write_report(o.report, f.report);
  output.object(f.json);
  for (const auto& t : f.report.tables) output.line(t.heading + "\n" + table_text(t.rows));
  for (const auto& c : checks) output.line((c.pass ? "PASS " : "FAIL ") + c.name + ": " + c.message);
  output.line(f.report.verdict);
  return f.json["pass"].get<bool>() ? 0 : static_cast<int>(ErrorKind::check_failed);
}

}  // namespace

Action set_up_diff_accuracy(Flags& flags, const OpenNetwork& open) {
  auto o = std::make_shared<DiffFlags>();
  flags.add_required("REFERENCE", o->reference, "the model or bundle that is right");
  flags.add_required("CANDIDATE", o->candidate, "the model or bundle that is measured");
  flags.add_option("--labels", o->labels, "one class per row of the first output: .npy of integers, or text");
  flags.add_option("--metric", o->metric, "top1 (default) or top5");
  flags.add_flag("--layers", o->layers, "compare every tensor that both sides still have");
  flags.add_flag("--bisect", o->bisect, "name the first layer that breaks a threshold (range error 1e-3 where no gate is set)");
  flags.add_option("--min-cosine", o->gates.min_cosine, "every output's cosine is at least this");
  flags.add_option("--min-sqnr", o->gates.min_sqnr_db, "every output's signal to noise is at least so many dB");
  flags.add_option("--max-abs", o->gates.max_abs, "every output's largest difference is at most this");
  flags.add_option("--max-range-error", o->gates.max_range_error, "the same, as a share of the output's range");
  flags.add_option("--max-drop", o->gates.max_drop_percent, "the metric falls by at most so many percent points");
  flags.add_option("--min-agreement", o->gates.min_agreement, "share of rows whose largest element is the same, at least");
  flags.add_option("--save-baseline", o->save_baseline, "keep the distances in this file");
  flags.add_option("--against-baseline", o->against_baseline, "fail when something is more than a tenth worse than in this file");
  flags.add_option("--report", o->report, "FILE.html, FILE.md, FILE.json or FILE.junit.xml");
  add_options(flags, o->data, RandomInputs::allowed);
  add_options(flags, o->source);
  add_options(flags, o->sizes);
  add_options(flags, o->device);
  add_options(flags, o->output);
  flags.footer("Example:\n  onecard diff-accuracy resnet50.onnx resnet50.onecard --data evaluation/ --min-cosine 0.999 --layers");
  return [o, open] { return run(*o, open); };
}

}  // namespace onecard
