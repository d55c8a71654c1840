#include "tools/optimize_report.h"

#include <algorithm>
#include <cstdio>

#include "tools/output.h"

namespace onecard {

using nlohmann::ordered_json;

namespace {

// Layers that are not integers or pruned as asked: those of the recipe and those that the guard raised.
int64_t layers_raised(const PriceRow& row) { return static_cast<int64_t>(row.raised.size()); }

double relative_time(const GuardResult& g, const PriceRow& row) {
  const PriceRow& start = g.prices.front();  // nothing raised
  return start.seconds > 0 ? row.seconds / start.seconds : 1;
}

const char* name_of(Raise raise) { return raise == Raise::unpruned ? "without zeros" : "as it was"; }

ordered_json to_json(const GuardResult& g) {
  ordered_json j = {{"holds", g.holds}, {"raised", ordered_json::array()}, {"price_list", ordered_json::array()}, {"layers", ordered_json::array()}};
  for (const auto& [layer, how] : g.raised) j["raised"].push_back({{"layer", layer}, {"how", name_of(how)}});
  for (const PriceRow& row : g.prices) {
    ordered_json r = {{"layers_raised", layers_raised(row)}, {"outputs", ordered_json::array()}};
    for (const Difference& d : row.accuracy.outputs)
      r["outputs"].push_back({{"name", d.name}, {"cosine", d.worst.cosine}, {"sqnr_db", d.worst.sqnr_db}});
    if (row.accuracy.task) r["drop_percent"] = row.accuracy.task->drop_percent();
    r.update({{"weight_bytes_stored", row.stored_bytes}, {"relative_time", relative_time(g, row)}, {"holds", row.holds}, {"shipped", row.shipped}});
    j["price_list"].push_back(std::move(r));
  }
  for (const LayerPrice& l : g.layers)
    j["layers"].push_back({{"layers", l.layers}, {"raise", name_of(l.raise)}, {"relative_error", l.error}, {"bytes", l.bytes}});
  return j;
}

// The worst output's figure.
double least(const DiffResult& accuracy, double Comparison::*member) {
  double worst = accuracy.outputs.empty() ? 0 : accuracy.outputs[0].worst.*member;
  for (const Difference& d : accuracy.outputs) worst = std::min(worst, d.worst.*member);
  return worst;
}

// Enough digits to tell 0.99999 from 1.
std::string exact(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

ReportTable price_list(const GuardResult& g) {
  const bool task = g.prices.front().accuracy.task.has_value();
  ReportTable t{
      "Price list: layers left as they were, and what that is worth (worst output on the worst sample; processor time of a run beside the first "
      "row's)",
      {{"layers", "cosine", "signal to error, dB", "bytes of weights, stored", "time", "holds", "shipped"}}};
  if (task) t.rows[0].insert(t.rows[0].begin() + 3, "drop, percent points");
  for (const PriceRow& row : g.prices) {
    std::vector<std::string> cells{std::to_string(layers_raised(row)),
                                   exact(least(row.accuracy, &Comparison::cosine)),
                                   number_text(least(row.accuracy, &Comparison::sqnr_db)),
                                   std::to_string(row.stored_bytes),
                                   number_text(relative_time(g, row)),
                                   row.holds ? "yes" : "",
                                   row.shipped ? "yes" : ""};
    if (task) cells.insert(cells.begin() + 3, number_text(row.accuracy.task->drop_percent()));
    t.rows.push_back(std::move(cells));
  }
  return t;
}

bool is_raised(const GuardResult& g, const LayerPrice& l) {
  const auto it = g.raised.find(l.layers.front());
  return it != g.raised.end() && it->second >= l.raise;
}

ordered_json to_json(const HeldOut& h) {
  ordered_json j = {{"samples", h.samples}, {"fitted_too", h.fitted_too}, {"outputs", ordered_json::array()}};
  for (size_t o = 0; o < h.outputs.size(); ++o) {
    const OutputTotals& t = h.totals[o];
    ordered_json one = {{"name", h.outputs[o]}};
    if (t.floats) one.update({{"sqnr_db", t.decibels()}, {"cosine", t.cosine()}});
    if (t.elements > 0) one["equal"] = t.equal / static_cast<double>(t.elements);
    j["outputs"].push_back(std::move(one));
  }
  return j;
}

std::string where_measured(const HeldOut& h) {
  return std::to_string(h.samples) + (h.fitted_too ? "" : " held-out") + (h.samples == 1 ? " sample" : " samples") +
         (h.fitted_too ? ", those that compression was fitted to" : "");
}

ReportTable held_out_table(const HeldOut& h) {
  ReportTable t{"Distance from the original on " + where_measured(h), {{"output", "signal to error, dB", "cosine", "equal elements"}}};
  for (size_t o = 0; o < h.outputs.size(); ++o) {
    const OutputTotals& s = h.totals[o];
    t.rows.push_back({h.outputs[o], s.floats ? number_text(s.decibels()) : "", s.floats ? exact(s.cosine()) : "",
                      s.elements > 0 ? number_text(100 * s.equal / static_cast<double>(s.elements)) + "%" : ""});
  }
  return t;
}

void add_tables(const GuardResult& g, std::vector<ReportTable>& tables) {
  tables.push_back(price_list(g));
  if (g.layers.empty()) return;
  ReportTable layers{"Layers in the order in which they are raised", {{"layer", "becomes", "relative error that goes", "bytes that come", "raised"}}};
  for (const LayerPrice& l : g.layers)
    layers.rows.push_back({l.layers.front() + (l.layers.size() > 1 ? " to " + l.layers.back() : ""), name_of(l.raise), number_text(l.error),
                           std::to_string(l.bytes), is_raised(g, l) ? "yes" : ""});
  tables.push_back(std::move(layers));
}

std::string percent(double share) { return number_text(100 * share) + "%"; }

ordered_json survival_json(const Survival& s) {
  ordered_json j = {{"db", s.decibels}, {"samples", s.samples}, {"survives", s.survives}, {"least_db", kSurvives}};
  if (!s.survives && s.most > 0) j.update({{"survives_amount", s.most}, {"survives_db", s.most_decibels}});
  return j;
}

ordered_json pruning_json(const OptimizeResult& r) {
  const PruneSummary& p = *r.pruned;
  ordered_json j = {{"pattern", p.pattern == PrunePattern::two_of_four ? "2:4" : "any"},
                    {"weights", p.weights},
                    {"changed", p.changed},
                    {"elements", p.elements},
                    {"zeros", p.zeros},
                    {"cost", nullptr}};
  if (r.survival) j["cost"] = survival_json(*r.survival);
  return j;
}

std::string cost_text(const OptimizeResult& r) {
  const Survival& s = *r.survival;
  const PruneSummary& p = *r.pruned;
  const bool fitted_too = r.held_out && r.held_out->fitted_too, guarded = r.guard && !r.guard->raised.empty();
  std::string text = "cost" + std::string(guarded ? " before the guard" : "") + ": signal to error " + number_text(s.decibels) +
                     " dB, the mean over the outputs, on " + std::to_string(s.samples) + (fitted_too ? "" : " held-out") +
                     (s.samples == 1 ? " sample" : " samples") + (fitted_too ? " that they were fitted to" : "");
  if (s.survives) return text;
  text += "; this network does not survive " + (p.pattern == PrunePattern::two_of_four ? "2:4" : percent(s.amount) + " zeros");
  if (p.pattern == PrunePattern::two_of_four) return text;
  if (s.most == 0) return text + ", nor the smallest amount looked at";
  return text + "; " + percent(s.most) + " keep " + number_text(s.most_decibels) + " dB: --prune " + number_text(s.most);
}

}  // namespace

std::vector<std::string> zeros_text(const OptimizeResult& r) {
  std::vector<std::string> lines;
  if (!r.pruned && r.two_of_four == 0) return lines;
  if (r.two_of_four > 0)
    lines.push_back("zeros: " + std::to_string(r.two_of_four) +
                    " weights are in the 2:4 pattern; no kernel of the CPU is faster for the pattern itself");
  if (r.pruned) {
    const PruneSummary& p = *r.pruned;
    const double share = p.elements > 0 ? static_cast<double>(p.zeros) / static_cast<double>(p.elements) : 0;
    lines.push_back("pruning: " + percent(share) + " of the elements of " + std::to_string(p.weights) + " weights are 0; " +
                    (r.survival ? cost_text(r) : "cost: not measured, give samples: --data PATH"));
  }
  lines.push_back("zeros: stored, all weights take " + bytes_text(r.sizes.weight_bytes_stored) + " instead of " + bytes_text(r.sizes.weight_bytes));
  lines.push_back("zeros: speed: " + (r.steps_without_zeros > 0 ? std::to_string(r.steps_without_zeros) +
                                                                      " steps read their weights without zeros, the others take as long as before"
                                                                : "no step runs faster for them at these sizes"));
  return lines;
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
    j["self_check"] = {{"input", r.self_check_input}, {"stored", r.self_check_stored}};
    j["accuracy"] = ordered_json::array();
    for (const auto& d : r.self_check) j["accuracy"].push_back({{"name", d.name}, {"range_error", d.range_error}, {"cosine", d.cosine}});
  }
  j["zeros"] = {{"two_of_four_weights", r.two_of_four}, {"steps_without_zeros", r.steps_without_zeros}};
  if (r.pruned) j["pruning"] = pruning_json(r);
  if (!r.recipes.empty()) {
    j["recipes"] = ordered_json::array();
    for (const auto& t : r.recipes)
      j["recipes"].push_back({{"stage", t.stage}, {"name", t.name}, {"db", t.decibels ? ordered_json(*t.decibels) : ordered_json(nullptr)}, {"float_layers", t.float_layers}, {"chosen", t.chosen}});
  }
  if (r.guard) j["guard"] = to_json(*r.guard);
  if (r.held_out) j["held_out"] = to_json(*r.held_out);
  if (r.run_times) j["run_ms"] = {{"before", r.run_times->before_ms}, {"after", r.run_times->after_ms}, {"runs", r.run_times->runs}};
  j["warnings"] = r.warnings;
  j["notes"] = r.notes;
  j["details"] = r.details;
  j["seconds"] = seconds;
  j["peak_rss_bytes"] = peak_rss_bytes();
  return j;
}

std::vector<std::string> held_out_lines(const HeldOut& h) {
  std::vector<std::string> lines;
  for (size_t o = 0; o < h.outputs.size(); ++o) {
    const OutputTotals& t = h.totals[o];
    std::string figures = t.floats ? "signal to error " + number_text(t.decibels()) + " dB  cosine " + exact(t.cosine()) : "";
    if (!t.floats && t.elements > 0) figures = number_text(100 * t.equal / static_cast<double>(t.elements)) + "% of the elements equal";
    if (!figures.empty()) lines.push_back("distance from the original (" + where_measured(h) + "): " + h.outputs[o] + "  " + figures);
  }
  return lines;
}

std::string guard_text(const GuardResult& g) {
  const auto shipped = std::find_if(g.prices.begin(), g.prices.end(), [](const PriceRow& r) { return r.shipped; });
  if (shipped == g.prices.end()) return "";
  const auto whole = std::count_if(g.raised.begin(), g.raised.end(), [](const auto& r) { return r.second == Raise::whole; });
  const auto unpruned = static_cast<std::ptrdiff_t>(g.raised.size()) - whole;
  std::string text = "accuracy guard holds: " + std::to_string(whole) + (whole == 1 ? " layer" : " layers") + " left as in the original";
  if (unpruned > 0) text += ", " + std::to_string(unpruned) + " without zeros";
  text += ", worst output " + number_text(least(shipped->accuracy, &Comparison::sqnr_db)) + " dB, cosine " +
          exact(least(shipped->accuracy, &Comparison::cosine));
  if (shipped->accuracy.task) text += ", drop " + number_text(shipped->accuracy.task->drop_percent()) + " points";
  return text + ", weights " + bytes_text(g.prices.front().stored_bytes) + " -> " + bytes_text(shipped->stored_bytes);
}

std::string times_text(const RunTimes& t) {
  return "speed: a run takes " + number_text(t.after_ms) + " ms instead of " + number_text(t.before_ms) + " of the model as it came, nothing fused (" +
         (t.runs == 1 ? "one run each" : "medians of " + std::to_string(t.runs)) + " in turn, on this machine)";
}

Report failed_guard_report(const GuardResult& g, const std::string& title) {
  Report report{title, "optimize: FAIL the accuracy guard cannot hold, no bundle was written", {}, {}, ""};
  add_tables(g, report.tables);
  ordered_json j = {{"guard", to_json(g)}, {"missed", ordered_json::array()}, {"exit_code", static_cast<int>(ErrorKind::check_failed)}};
  for (const ReportCheck& c : g.missed) {
    j["missed"].push_back({{"gate", c.name}, {"message", c.message}});
    report.checks.push_back({c.name, false, c.message});
  }
  report.json = j.dump(1, ' ', false, ordered_json::error_handler_t::replace);
  return report;
}

std::string verdict(const OptimizeResult& r, const std::string& out) {
  const double ratio = r.source_bytes > 0 ? static_cast<double>(r.sizes.file_bytes) / static_cast<double>(r.source_bytes) : 1;
  return "optimize: OK " + out + ", " + bytes_text(r.source_bytes) + " -> " + bytes_text(r.sizes.file_bytes) + " (" + number_text(ratio) +
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
    ReportTable recipes{r.recipes.size() > 1 ? "Recipes compared on held-out samples, ranges and roundings on all where few are held out" : "The only recipe tried", {{"stage", "recipe", "signal to error, dB", "layers in float", "chosen"}}};
    for (const auto& t : r.recipes)
      recipes.rows.push_back({t.stage, t.name, t.decibels ? number_text(*t.decibels) : "", std::to_string(t.float_layers), t.chosen ? "yes" : ""});
    tables.push_back(std::move(recipes));
  }
  if (r.held_out) tables.push_back(held_out_table(*r.held_out));
  if (r.run_times)
    tables.push_back({"Time of one run, in turn on this machine",
                      {{"network", "median ms"}, {"before", number_text(r.run_times->before_ms)}, {"after", number_text(r.run_times->after_ms)}}});
  if (r.guard) add_tables(*r.guard, tables);
  if (!r.warnings.empty()) {
    ReportTable warnings{"Warnings", {{"warning"}}};
    for (const auto& w : r.warnings) warnings.rows.push_back({w});
    tables.insert(tables.begin(), std::move(warnings));
  }
  if (const auto lines = zeros_text(r); !lines.empty()) {
    ReportTable zeros{"Zeros", {{"what"}}};
    for (const std::string& line : lines) zeros.rows.push_back({line});
    tables.push_back(std::move(zeros));
  }
  if (!r.notes.empty()) {
    ReportTable notes{"Notes", {{"note"}}};
    for (const auto* list : {&r.notes, &r.details})
      for (const auto& n : *list) notes.rows.push_back({n});
    tables.push_back(std::move(notes));
  }
  return tables;
}

}  // namespace onecard
