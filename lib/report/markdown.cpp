#include "lib/report/report.h"

namespace onecard {

namespace {

std::string cell_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string table_row(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const auto& c : cells) out += " " + cell_text(c) + " |";
  return out + "\n";
}

}  // namespace

std::string to_markdown(const Report& report) {
  std::string out = "# " + report.title + "\n\n**" + report.verdict + "**\n";
  if (!report.checks.empty()) out += "\n";
  for (const auto& c : report.checks)
    out += std::string("- ") + (c.pass ? "PASS " : "FAIL ") + c.name + (c.message.empty() ? "" : ": " + c.message) + "\n";
  for (const auto& t : report.tables) {
    out += "\n## " + t.heading + "\n\n";
    for (size_t i = 0; i < t.rows.size(); ++i) {
      out += table_row(t.rows[i]);
      if (i == 0) out += table_row(std::vector<std::string>(t.rows[0].size(), "---"));
    }
  }
  return out;
}

}  // namespace onecard
