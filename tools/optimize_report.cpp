#include "tools/optimize_report.h"

#include "tools/output.h"

namespace onecard {

using nlohmann::ordered_json;

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
    ReportTable recipes{"Recipes compared on held-out samples", {{"stage", "recipe", "signal to error, dB", "layers in float", "chosen"}}};
    for (const auto& t : r.recipes)
      recipes.rows.push_back({t.stage, t.name, number_text(t.decibels), std::to_string(t.float_layers), t.chosen ? "yes" : ""});
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

}  // namespace onecard
