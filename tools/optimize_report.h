#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lib/flow/optimize.h"
#include "lib/report/report.h"

namespace onecard {

// What `optimize` found out: the object of --json, the tables of a report, lines about held-out samples and the guard, the closing line.
nlohmann::ordered_json to_json(const OptimizeResult& result, double seconds);
std::vector<ReportTable> tables_of(const OptimizeResult& result);
std::vector<std::string> held_out_lines(const HeldOut& held_out);
std::string guard_text(const GuardResult& guard);
// Of a guard that cannot hold: what was tried, and the gates that are missed.
Report failed_guard_report(const GuardResult& guard, const std::string& title);
// What zeros in the weights cost and what they bring, line by line: accuracy, bytes and speed apart.
std::vector<std::string> zeros_text(const OptimizeResult& result);
std::string times_text(const RunTimes& times);
std::string verdict(const OptimizeResult& result, const std::string& out);

}  // namespace onecard
