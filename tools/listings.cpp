#include <nlohmann/json.hpp>

#include "lib/base/parallel.h"
#include "lib/cpu/device.h"
#include "lib/device/reference_kernel.h"
#include "passes/pass.h"
#include "tools/command.h"
#include "tools/device_choice.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

// Sets up a command without flags of its own, whose result is one table: `make` adds rows (the first is the head) and JSON entries.
Action listing(Flags& flags, const char* name, void (*make)(Rows& rows, ordered_json& list)) {
  auto o = std::make_shared<OutputOptions>();
  add_options(flags, *o);
  flags.footer(std::string("Example:\n  onecard ") + name + " --json");
  return [o, name, make] {
    const Output output(*o);
    Rows rows;
    ordered_json list = ordered_json::array();
    make(rows, list);
    output.object({{name, list}});
    output.line(table_text(rows));
    output.line(std::string(name) + ": OK " + std::to_string(list.size()));
    return 0;
  };
}

void list_passes(Rows& rows, ordered_json& list) {
  rows.push_back({"pass", "equation"});
  for (const PassInfo& p : all_passes()) {
    rows.push_back({std::string(p.name), std::string(p.equation)});
    list.push_back({{"name", p.name}, {"equation", p.equation}});
  }
}

void add_device(const Device& device, Rows& rows, ordered_json& list) {
  rows.push_back({device.name(), "usable", device.description(), bytes_text(device.memory_bytes())});
  ordered_json kernels = ordered_json::array();
  for (const auto& k : device.kernels()) kernels.push_back(k->name());
  list.push_back({{"name", device.name()},
                  {"usable", true},
                  {"description", device.description()},
                  {"memory_bytes", device.memory_bytes()},
                  {"kernels", std::move(kernels)}});
}

void list_devices(Rows& rows, ordered_json& list) {
  rows.push_back({"device", "", "what", "memory"});
  set_threads(0);
  add_device(*make_cpu_device(thread_count()), rows, list);
  add_device(*make_reference_device(), rows, list);
  std::string why_none;
  const int gpus = gpu_count(why_none);
  OutputOptions quiet;
  quiet.quiet = true;
  Output output(quiet);
  for (int i = 0; i < gpus; ++i) {
    DeviceOptions gpu;
    gpu.device = "cuda:" + std::to_string(i);
    add_device(*choose_device(gpu, output), rows, list);
  }
  if (gpus > 0) return;
  rows.push_back({"cuda", "not usable", why_none, ""});
  list.push_back({{"name", "cuda"}, {"usable", false}, {"why_not", why_none}});
}

}  // namespace

Action set_up_passes(Flags& flags, const OpenNetwork&) { return listing(flags, "passes", list_passes); }
Action set_up_devices(Flags& flags, const OpenNetwork&) { return listing(flags, "devices", list_devices); }

}  // namespace onecard
