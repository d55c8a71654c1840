#include "lib/report/report.h"

#include "lib/base/error.h"

namespace onecard {

ReportFormat report_format(const Path& path) {
  const std::string name = path.filename().string();
  if (name.ends_with(".html")) return ReportFormat::html;
  if (name.ends_with(".md")) return ReportFormat::markdown;
  if (name.ends_with(".json")) return ReportFormat::json;
  if (name.ends_with(".junit.xml")) return ReportFormat::junit;
  fail(ErrorKind::usage, "--report ", path.string(), ": reports are written as .html, .md, .json or .junit.xml");
}

void write_report(const Path& path, const Report& report) {
  switch (report_format(path)) {
    case ReportFormat::html: return write_text(path, to_html(report));
    case ReportFormat::markdown: return write_text(path, to_markdown(report));
    case ReportFormat::json: return write_text(path, report.json + "\n");
    case ReportFormat::junit: return write_text(path, to_junit(report));
  }
}

}  // namespace onecard
