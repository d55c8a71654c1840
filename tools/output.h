#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "lib/plan/plan.h"
#include "tools/options.h"

namespace onecard {

// Where a command's words go: results to stdout, everything else to stderr.
class Output {
 public:
  explicit Output(const OutputOptions& options);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  bool json() const { return options_.json; }
  // A line of the result; nothing with --json.
  void line(const std::string& text) const;
  // The result with --json; nothing without.
  void object(const nlohmann::ordered_json& result) const;
  // A message on stderr, unless --quiet; one that only --verbose asks for.
  void say(const std::string& text);
  void detail(const std::string& text);
  // Shows how far the work is, as --progress asks.
  void progress(const std::string& what, double share);

 private:
  enum class Style { none, bar, plain, json };
  void clear_bar();
  OutputOptions options_;
  Style style_ = Style::none;
  std::string last_what_;
  int last_percent_ = -1;
};

// "12.3 MB"; "1.234e-05"; "0.123 ms".
std::string bytes_text(int64_t bytes);
std::string number_text(double value);
std::string ms_text(double seconds);
// A table with columns as wide as their widest cell; the first row is the head.
std::string table_text(const std::vector<std::vector<std::string>>& rows);
nlohmann::ordered_json memory_json(const MemorySummary& memory, const std::optional<int64_t>& limit_bytes);
std::string memory_text(const MemorySummary& memory);

}  // namespace onecard
