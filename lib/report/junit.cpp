#include <algorithm>

#include "lib/report/markup.h"
#include "lib/report/report.h"

namespace onecard {

std::string to_junit(const Report& report) {
  const auto failures = std::count_if(report.checks.begin(), report.checks.end(), [](const ReportCheck& c) { return !c.pass; });
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"" + escape_markup(report.title) + "\" tests=\"" +
                    std::to_string(report.checks.size()) + "\" failures=\"" + std::to_string(failures) + "\">\n";
  for (const auto& c : report.checks) {
    out += "  <testcase name=\"" + escape_markup(c.name) + "\"";
    out += c.pass ? "/>\n" : "><failure message=\"" + escape_markup(c.message) + "\"/></testcase>\n";
  }
  return out + "</testsuite>\n";
}

}  // namespace onecard
