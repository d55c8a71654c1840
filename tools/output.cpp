#include "tools/output.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

namespace onecard {

namespace {

constexpr int kBarCells = 30;

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

Output::Output(const OutputOptions& options) : options_(options) {
  const bool terminal = isatty(STDERR_FILENO) == 1;
  if (options.quiet || options.progress == "none") style_ = Style::none;
  else if (options.progress == "json") style_ = Style::json;
  else if (options.progress == "plain") style_ = Style::plain;
  else style_ = terminal ? Style::bar : Style::plain;
}

Output::~Output() { clear_bar(); }

void Output::clear_bar() {
  if (style_ == Style::bar && last_percent_ >= 0) std::cerr << "\r\033[K" << std::flush;
  last_percent_ = -1;
}

void Output::line(const std::string& text) const {
  if (!options_.json) std::cout << text << "\n";
}

void Output::object(const nlohmann::ordered_json& result) const {
  if (options_.json) std::cout << result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

void Output::say(const std::string& text) {
  if (options_.quiet) return;
  clear_bar();
  std::cerr << text << std::endl;
}

void Output::detail(const std::string& text) {
  if (options_.verbose) say(text);
}

void Output::progress(const std::string& what, double share) {
  if (style_ == Style::none) return;
  const int percent = static_cast<int>(std::lround(100 * std::min(1.0, std::max(0.0, share))));
  const bool same = what == last_what_;
  if (same && percent == last_percent_) return;
  if (style_ == Style::plain) {
    if (!same) std::cerr << what << std::endl;
  } else if (style_ == Style::json) {
    const nlohmann::ordered_json j = {{"progress", what}, {"share", share}};
    std::cerr << j.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
  } else {
    const int cells = percent * kBarCells / 100;
    std::cerr << "\r\033[K[" << std::string(static_cast<size_t>(cells), '#') << std::string(static_cast<size_t>(kBarCells - cells), ' ') << "] "
              << what << std::flush;
  }
  last_what_ = what;
  last_percent_ = percent;
}

std::string bytes_text(int64_t bytes) {
  const auto n = static_cast<double>(bytes);
  if (bytes < 10'000) return std::to_string(bytes) + " B";
  if (bytes < 10'000'000) return printed("%.1f kB", n / 1e3);
  return printed("%.1f MB", n / 1e6);
}
std::string number_text(double value) { return printed("%.3g", value); }
std::string ms_text(double seconds) { return printed("%.3f ms", seconds * 1e3); }

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string out;
  for (const auto& row : rows) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) text += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text.erase(text.find_last_not_of(' ') + 1);
    out += (out.empty() ? "" : "\n") + text;
  }
  return out;
}

nlohmann::ordered_json memory_json(const MemorySummary& m, const std::optional<int64_t>& limit_bytes) {
  nlohmann::ordered_json j = {
      {"weights_bytes", m.weights_bytes},     {"arena_bytes", m.arena_bytes}, {"arena_lower_bound_bytes", m.arena_lower_bound_bytes},
      {"workspace_bytes", m.workspace_bytes}, {"io_bytes", m.io_bytes},       {"pool_bytes", m.pool_bytes},   {"staging_bytes", m.staging_bytes},
      {"reserve_bytes", m.reserve_bytes},     {"peak_bytes", m.peak_bytes}};
  j["limit_bytes"] = limit_bytes ? nlohmann::ordered_json(*limit_bytes) : nlohmann::ordered_json(nullptr);
  return j;
}

std::string memory_text(const MemorySummary& m) {
  return "peak " + bytes_text(m.peak_bytes) + " (weights " + bytes_text(m.weights_bytes) + ", arena " + bytes_text(m.arena_bytes) + " of at least " +
         bytes_text(m.arena_lower_bound_bytes) + ", inputs and outputs " + bytes_text(m.io_bytes) + (m.pool_bytes ? ", results of unplanned steps " + bytes_text(m.pool_bytes) : "") + ", staging " + bytes_text(m.staging_bytes) +
         (m.reserve_bytes ? ", reserve " + bytes_text(m.reserve_bytes) : "") + ")";
}

}  // namespace onecard
