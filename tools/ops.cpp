#include <iostream>
#include <nlohmann/json.hpp>

#include "lib/base/parallel.h"
#include "lib/cpu/device.h"
#include "lib/flow/operator_table.h"
#include "lib/onnx/import.h"
#include "tools/command.h"
#include "tools/output.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;

struct OpsFlags {
  OutputOptions output;
  bool markdown = false;
};

std::string domain_of(const OperatorRow& row) { return row.form.domain.empty() ? "ai.onnx" : row.form.domain; }

std::string opsets_of(const OperatorRow& row) {
  const std::string first = std::to_string(row.form.first_opset), last = std::to_string(row.form.last_opset);
  return first == last ? first : first + "-" + last;
}

std::string runs_of(const OperatorRow& row) { return row.tried ? types_text(row.runs) : "(not tried alone)"; }

std::string kernels_of(const OperatorRow& row) {
  if (!row.tried) return "";
  return !row.kernels.empty() && row.kernels == row.runs ? "all of these" : types_text(row.kernels);
}

ordered_json to_json(const OperatorRow& row) {
  const auto names = [](const std::vector<DType>& types) {
    ordered_json list = ordered_json::array();
    for (const DType t : types) list.push_back(info(t).name);
    return list;
  };
  return {{"domain", domain_of(row)},
          {"op_type", row.form.op_type},
          {"op", row.form.op},
          {"since_opset", row.form.first_opset},
          {"last_opset", row.form.last_opset},
          {"tried", row.tried},
          {"dtypes", names(row.runs)},
          {"cpu_kernels", names(row.kernels)},
          {"reference", row.tried}};
}

void print_markdown(const std::vector<OperatorRow>& rows) {
  std::cout << "# Operators\n\n"
               "Written by `onecard ops --markdown > docs/operators.md`; a test compares.\n\n"
               "Each type was tried: a network of one such node ran with it. The types are those of the first operand of which ONNX allows several. "
               "What has no\n"
               "kernel runs by its definition (`reference`), exact and slower; f16 and bf16 are stored and computed in f32 on a CPU. `(not tried "
               "alone)`: operators\n"
               "with bodies, sequences, or operands that a table cannot guess; the ONNX project's node cases cover them.\n\n"
               "| domain | operator | opsets | types | CPU kernels |\n|---|---|---|---|---|\n";
  for (const OperatorRow& row : rows)
    std::cout << "| " << domain_of(row) << " | " << row.form.op_type << " | " << opsets_of(row) << " | " << runs_of(row) << " | " << kernels_of(row)
              << " |\n";
}

int run(const OpsFlags& o) {
  require(!o.markdown || !o.output.json, ErrorKind::usage, "--markdown and --json exclude each other");
  const Output output(o.output);
  set_threads(1);
  const auto rows = operator_table(*make_cpu_device(1));
  if (o.markdown) {
    print_markdown(rows);
    return 0;
  }
  ordered_json list = ordered_json::array();
  std::vector<std::vector<std::string>> table{{"domain", "operator", "opsets", "becomes", "types", "CPU kernels"}};
  for (const OperatorRow& row : rows) {
    list.push_back(to_json(row));
    table.push_back({domain_of(row), row.form.op_type, opsets_of(row), row.form.op.empty() ? "(expanded at import)" : row.form.op, runs_of(row),
                     kernels_of(row)});
  }
  output.object({{"ops", list}});
  output.line(table_text(table));
  output.line("ops: OK " + std::to_string(list.size()));
  return 0;
}

}  // namespace

Action set_up_ops(Flags& flags, const OpenNetwork&) {
  auto o = std::make_shared<OpsFlags>();
  flags.add_flag("--markdown", o->markdown, "the table as docs/operators.md has it");
  add_options(flags, o->output);
  flags.footer("Every operator, the opsets it is imported from, the types it was tried with and where it runs.\nExample:\n  onecard ops --json");
  return [o] { return run(*o); };
}

}  // namespace onecard
