#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "lib/flow/diff_accuracy.h"

namespace onecard {

namespace {

// One gate on a metric of every output.
struct TensorGate {
  const char* name;
  std::optional<double> Gates::*limit;
  double Comparison::*member;
  bool at_most;
};
constexpr TensorGate kGates[] = {{"cosine", &Gates::min_cosine, &Comparison::cosine, false},
                                 {"sqnr_db", &Gates::min_sqnr_db, &Comparison::sqnr_db, false},
                                 {"max_abs", &Gates::max_abs, &Comparison::max_abs, true},
                                 {"range_error", &Gates::max_range_error, &Comparison::range_error, true},
                                 {"argmax_agreement", &Gates::min_agreement, &Comparison::argmax_agreement, false}};

// Differences below this are rounding, whatever the baseline says.
constexpr double kLeastWorsening = 1e-6;

bool keeps(const TensorGate& gate, const Gates& gates, const Comparison& c) {
  const auto& limit = gates.*gate.limit;
  if (!limit) return true;
  return gate.at_most ? c.*gate.member <= *limit : c.*gate.member >= *limit;
}

std::string number(double v, int digits = 6) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", digits, v);
  return text;
}

// Without what std::stod throws for the smallest and largest.
double read(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

// As many digits as whoever gave it wrote.
std::string as_given(double v) {
  int digits = 6;
  while (digits < 17 && read(number(v, digits)) != v) ++digits;
  return number(v, digits);
}

// The value with as many digits as it takes to see on which side of the limit it lies.
ReportCheck check_of(const std::string& name, bool pass, double value, double limit, const char* side) {
  int digits = 6;
  const auto lies = [&](double v) { return (v > limit ? 1 : 0) - (v < limit ? 1 : 0); };
  while (digits < 17 && lies(read(number(value, digits))) != lies(value)) ++digits;
  return {name, pass, number(value, digits) + (pass ? " keeps " : " breaks ") + side + as_given(limit)};
}

}  // namespace

std::vector<ReportCheck> judge(const DiffResult& result, const Gates& gates) {
  std::vector<ReportCheck> checks;
  for (const Difference& d : result.outputs) {
    if (!d.worst.comparable) checks.push_back({d.name + ": comparable", false, d.worst.why_not});
    for (const TensorGate& g : kGates)
      if (gates.*g.limit)
        checks.push_back(check_of(d.name + ": " + g.name, d.worst.comparable && keeps(g, gates, d.worst), d.worst.*g.member, *(gates.*g.limit),
                                  g.at_most ? "at most " : "at least "));
  }
  if (gates.max_drop_percent && result.task)
    checks.push_back(check_of("drop in percent", result.task->drop_percent() <= *gates.max_drop_percent, result.task->drop_percent(),
                              *gates.max_drop_percent, "at most "));
  return checks;
}

const Difference* first_bad_layer(const DiffResult& result, const Gates& gates) {
  bool any = false;
  for (const TensorGate& g : kGates) any = any || (gates.*g.limit).has_value();
  for (const Difference& d : result.layers) {
    bool good = d.worst.comparable;
    if (!any) good = good && d.worst.range_error <= kBisectRangeError;
    for (const TensorGate& g : kGates) good = good && keeps(g, gates, d.worst);
    if (!good) return &d;
  }
  return nullptr;
}

std::string to_baseline(const DiffResult& result) {
  nlohmann::ordered_json j = {{"onecard_baseline", 1}, {"outputs", nlohmann::ordered_json::array()}};
  for (const Difference& d : result.outputs) {
    nlohmann::ordered_json o = {{"name", d.name}};
    for (const TensorGate& g : kGates)
      if (std::isfinite(d.worst.*g.member)) o[g.name] = d.worst.*g.member;
    j["outputs"].push_back(std::move(o));
  }
  if (result.task) j["drop_percent"] = result.task->drop_percent();
  return j.dump(1) + "\n";
}

std::vector<ReportCheck> judge_against(const DiffResult& result, const std::string& baseline) {
  const auto j = nlohmann::json::parse(baseline, nullptr, false);
  const auto wrong = [](const std::string& why) { fail(ErrorKind::io, "the baseline cannot be used: ", why); };
  if (!j.is_object() || !j.contains("onecard_baseline") || !j.contains("outputs") || !j["outputs"].is_array())
    wrong("it was not written by --save-baseline");
  std::vector<ReportCheck> checks;
  for (const Difference& d : result.outputs) {
    const nlohmann::json* stored = nullptr;
    for (const auto& o : j["outputs"])
      if (o.is_object() && o.value("name", nlohmann::json()) == d.name) stored = &o;
    if (!stored) wrong("it has no output '" + d.name + "'");
    for (const TensorGate& g : kGates) {
      if (!stored->contains(g.name)) continue;  // was infinite: equal to the reference, or beyond comparison
      const auto& entry = (*stored)[g.name];
      if (!entry.is_number()) wrong(std::string(g.name) + " is no number");
      const double before = entry.get<double>(), now = d.worst.*g.member;
      const double room = std::max(kLeastWorsening, kBaselineSlack * std::fabs(g.at_most                          ? before
                                                                               : g.member == &Comparison::sqnr_db ? before
                                                                                                                  : 1 - before));
      const bool pass = d.worst.comparable && (g.at_most ? now <= before + room : now >= before - room);
      checks.push_back(check_of(d.name + ": " + g.name + " against the baseline", pass, now, before, ""));
    }
  }
  if (result.task && j.contains("drop_percent") && j["drop_percent"].is_number())
    checks.push_back(check_of("drop in percent against the baseline",
                              result.task->drop_percent() <= j["drop_percent"].get<double>() + kLeastWorsening, result.task->drop_percent(),
                              j["drop_percent"].get<double>(), ""));
  return checks;
}

}  // namespace onecard
