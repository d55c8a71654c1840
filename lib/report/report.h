#pragma once
#include <string>
#include <vector>

#include "lib/base/file.h"

namespace onecard {

// A table of a report; the first row is the head.
struct ReportTable {
  std::string heading;
  std::vector<std::vector<std::string>> rows;
};
// One check of a report, a test case in JUnit's eyes.
struct ReportCheck {
  std::string name;
  bool pass = true;
  std::string message;
};
// What a command found out, ready to be written in any of the formats.
struct Report {
  std::string title, verdict;
  std::vector<ReportTable> tables;
  std::vector<ReportCheck> checks;
  std::string json;  // the command's --json object
};

enum class ReportFormat { html, markdown, json, junit };
// By the name's ending: .html, .md, .json, .junit.xml; raises usage for another one.
ReportFormat report_format(const Path& path);
std::string to_html(const Report& report);
std::string to_markdown(const Report& report);
std::string to_junit(const Report& report);
// Writes the file in the format that its name asks for. Raises io.
void write_report(const Path& path, const Report& report);

}  // namespace onecard
