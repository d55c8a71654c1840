#include "lib/report/markup.h"
#include "lib/report/report.h"

namespace onecard {

std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else if (c == '"') out += "&quot;";
    else out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

namespace {

constexpr std::string_view kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:.5em 0 1.5em}th,td{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}"
    "th{background:#f4f4f4}.fail{color:#b00020}";

std::string table_row(const std::vector<std::string>& cells, std::string_view tag) {
  std::string out = "<tr>";
  for (const auto& cell : cells) out += "<" + std::string(tag) + ">" + escape_markup(cell) + "</" + std::string(tag) + ">";
  return out + "</tr>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  std::string out = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + escape_markup(report.title) + "</title><style>" +
                    std::string(kStyle) + "</style></head><body>\n<h1>" + escape_markup(report.title) + "</h1>\n<p><strong>" +
                    escape_markup(report.verdict) + "</strong></p>\n";
  if (!report.checks.empty()) {
    out += "<h2>Checks</h2>\n<ul>\n";
    for (const auto& c : report.checks)
      out += std::string("<li") + (c.pass ? ">PASS " : " class=\"fail\">FAIL ") + escape_markup(c.name) +
             (c.message.empty() ? "" : ": " + escape_markup(c.message)) + "</li>\n";
    out += "</ul>\n";
  }
  for (const auto& t : report.tables) {
    out += "<h2>" + escape_markup(t.heading) + "</h2>\n<table>\n";
    for (size_t i = 0; i < t.rows.size(); ++i) out += table_row(t.rows[i], i == 0 ? "th" : "td");
    out += "</table>\n";
  }
  return out + "</body></html>\n";
}

}  // namespace onecard
